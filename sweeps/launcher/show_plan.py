"""What `hydra.launcher.plan_only=true` prints: the programs and the jobs of a sweep."""

from hydra.core.utils import filter_overrides
from rich.console import Console

from sweeps.execution.grouping import describe, group_tasks, program_name
from sweeps.execution.programs import padded_size
from sweeps.execution.progress import plural
from sweeps.execution.run import executor
from sweeps.launcher.plan_sweep import SweepPlan


def show_plan(plan: SweepPlan, batch_size: int | None) -> None:
    """Print each program with its jobs, and how much there is to do.

    Args:
        plan: the plan, of which only the jobs that are not finished are shown.
        batch_size: `hydra.launcher.batch_size`.
    """
    missing = plan.missing
    tasks = [plan.tasks[place] for place in missing]
    groups = group_tasks(tasks)
    wanted = padded_size(batch_size, len(plan.places))
    lines: list[str] = []
    for group, kind in zip(groups, describe(groups, tasks), strict=True):
        size, jobs = executor().batch_size_for(group, wanted), len(group.members)
        batches = plural(-(-jobs // size), "batch", "batches")
        lines.append(
            f"program {program_name(group.signature)}: {plural(jobs, 'job')} "
            f"of {group.steps} steps, {batches} of {size}: {kind}"
        )
        for member in group.members:
            place = missing[member]
            overrides = " ".join(filter_overrides(list(plan.overrides[place])))
            lines.append(f"  job {plan.numbers[place]} {tasks[member].job_id} {overrides}".rstrip())
    programs = len({group.signature for group in groups})
    steps = sum(task.job.recipe.steps for task in tasks)
    lines.append(
        f"{plural(len(plan.places), 'job')}: {len(tasks)} to run, "
        f"{len(plan.places) - len(tasks)} finished before; "
        f"{plural(programs, 'program')}, {steps} steps; nothing was written"
    )
    console = Console()
    console.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)
