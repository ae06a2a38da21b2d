"""A multirun: plan all jobs, run them fused, and hand each back to Hydra as an ordinary job."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import (
    JobReturn,
    configure_log,
    filter_overrides,
    run_job,
    setup_globals,
)
from omegaconf import DictConfig, open_dict

from sweeps.build import Task, build
from sweeps.finish import finish
from sweeps.messages import explain
from sweeps.paths import CONF
from sweeps.run import Row, dry_run, executor, run
from sweeps.table import holds_results, load

log = logging.getLogger(__name__)

_MOST_NAMED = 20  # jobs named for one mistake
_BAD = ("failed", "diverged")


class Replay:
    """The task of a job that has run: returns its headline metric or raises its error.

    Pickles as the task itself, so that Hydra's rerun of a pickled job computes.
    """

    def __init__(self, task: Any, row: Row, headline: str) -> None:
        """Take the job's row."""
        self.task, self.row, self.headline = task, row, headline

    def __call__(self, config: DictConfig) -> float:
        """What the job returns to Hydra."""
        return headline_of(self.row, self.headline)

    def __reduce__(self) -> Any:
        """Be the original task again."""
        return _itself, (self.task,)


def _itself(task: Any) -> Any:
    return task


def headline_of(row: Row, headline: str) -> float:
    """The metric that a sweeper sees; NaN where it is null.

    Raises:
        RuntimeError: the job failed or diverged. (NaN instead would end an Optuna study; a failed
            trial does not.)
    """
    if row["status"] in _BAD:
        raise RuntimeError(row["error"] or f"the job {row['status']}")
    value = row.get(headline)
    return float("nan") if value is None else float(value)


def launch(launcher: Any, job_overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """Run a multirun's jobs; one return per job, in order. `launcher` is a FusedLauncher.

    Raises:
        ValueError: the mistakes of all jobs that planning finds, before anything is compiled or
            written.
    """
    setup_globals()
    config = launcher.config
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    directory = Path(str(config.hydra.sweep.dir))
    try:
        done = _done(directory, launcher.resume, first)
        configs = [_compose(launcher, o, first + i) for i, o in enumerate(job_overrides)]
        tasks = build_all(configs, job_overrides)
    except ValueError:
        discard(directory)
        raise
    numbers = _numbers(tasks, done, first)
    returns: dict[int, JobReturn] = {}
    rows: dict[int, Row] = {}

    def report(place: int, row: Row) -> None:
        composed = _compose(launcher, job_overrides[place], numbers[place])
        rows[place] = row
        returns[place] = run_job(
            hydra_context=launcher.context,
            task_function=Replay(launcher.task, row, tasks[place].headline),
            config=composed,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        configure_log(config.hydra.hydra_logging, config.hydra.verbose)

    missing = [place for place, task in enumerate(tasks) if task.job_id not in done]
    for place, task in enumerate(tasks):
        if task.job_id in done:
            report(place, done[task.job_id])
    before = executor().compiled
    try:
        run(
            [tasks[place] for place in missing],
            [numbers[place] for place in missing],
            directory,
            launcher.chunk,
            {row["program"]: row["chunk"] for row in done.values()},
            lambda place, row: report(missing[place], row),
        )
    finally:
        finish(directory)
    log.info(
        f"{len(tasks)} jobs: {len(missing)} run, {len(tasks) - len(missing)} there before; "
        f"{executor().compiled - before} programs compiled"
    )
    ended = [returns[i] for i in range(len(tasks))]
    _warn(ended, [rows[i] for i in range(len(tasks))])
    return ended


def build_all(configs: Sequence[DictConfig], job_overrides: Sequence[Sequence[str]]) -> list[Task]:
    """The tasks of all jobs, or one ValueError that names every wrong job's overrides."""
    tasks: dict[int, Task] = {}
    wrong: dict[int, str] = {}
    for place, config in enumerate(configs):
        try:
            tasks[place] = build(config)
        except Exception as error:
            wrong[place] = explain(error, CONF)
    right = list(tasks)
    for place, text in dry_run([tasks[p] for p in right]).items():
        wrong[right[place]] = text
    if not wrong:
        return [tasks[place] for place in range(len(configs))]
    lines = []
    for text in dict.fromkeys(wrong.values()):
        names = [" ".join(filter_overrides(job_overrides[p])) for p in wrong if wrong[p] == text]
        named = [name for name in names if name][:_MOST_NAMED]
        more = f" and {len(names) - len(named)} more" if len(names) > len(named) > 0 else ""
        lines.append(f"{text} [{'; '.join(named)}{more}]" if named else text)
    raise ValueError("\n".join(lines))


def discard(directory: Path) -> None:
    """Take away what Hydra wrote for a refused job or sweep, where there is nothing else."""
    if not directory.is_dir():
        return
    hydra = [directory / "multirun.yaml", *(directory / ".hydra").glob("*.yaml")]
    hydra += [path for path in directory.glob("*.log") if path.stat().st_size == 0]
    if {*directory.rglob("*")} - {*hydra, directory / ".hydra"}:
        return
    for path in hydra:
        path.unlink(missing_ok=True)
    for folder in (directory / ".hydra", directory, *directory.parents):
        inside = Path.cwd() in folder.absolute().parents or folder in (
            directory / ".hydra",
            directory,
        )
        if not inside or (folder.is_dir() and any(folder.iterdir())):
            break
        if folder.is_dir():
            folder.rmdir()


def _compose(launcher: Any, overrides: Sequence[str], number: int) -> DictConfig:
    loader = launcher.context.config_loader
    config: DictConfig = loader.load_sweep_config(launcher.config, list(overrides))
    with open_dict(config):
        config.hydra.job.id, config.hydra.job.num = str(number), number
    return config


def _done(directory: Path, resume: bool, first: int) -> dict[str, Row]:
    """Rows that the directory holds already, by job id; those of failed jobs apart."""
    if not holds_results(directory):
        return {}
    if not resume:
        if first == 0:
            raise ValueError(
                f"{directory} holds the results of a sweep: add hydra.launcher.resume=true to run "
                "what is missing or failed, or choose another hydra.sweep.dir"
            )
        return {}
    rows = load(directory).replace({float("nan"): None}).to_dict("records")
    return {row["job_id"]: dict(row) for row in rows if row["status"] != "failed"}  # type: ignore[misc]


def _numbers(tasks: Sequence[Task], done: dict[str, Row], first: int) -> list[int]:
    """A known job keeps its number; new ones take free numbers in order."""
    taken = {int(row["job"]) for row in done.values()}
    numbers, free = [], first
    for task in tasks:
        if task.job_id in done:
            numbers.append(int(done[task.job_id]["job"]))
            continue
        while free in taken:
            free += 1
        numbers.append(free)
        taken.add(free)
    return numbers


def _warn(returns: Sequence[JobReturn], rows: Sequence[Row]) -> None:
    """Name the jobs that did not come through, each with what became of it."""
    bad = [i for i, row in enumerate(rows) if row["status"] in _BAD]
    for i in bad[:_MOST_NAMED]:
        names = " ".join(filter_overrides(returns[i].overrides or []))
        why = f": {rows[i]['error']}" if rows[i]["error"] else ""
        log.warning(f"job {rows[i]['job']} {rows[i]['status']} ({names}){why}")
    if len(bad) > _MOST_NAMED:
        log.warning(f"and {len(bad) - _MOST_NAMED} more that did not come through")
