"""All mistakes of a sweep at once, before anything is compiled or written."""

from collections.abc import Sequence
from typing import Any

import jax
from hydra.core.utils import filter_overrides
from omegaconf import DictConfig

from fvjax.models.model import Model
from fvjax.optimization.recipe import Job
from fvjax.optimization.score import score_of
from sweeps.config.errors import explain
from sweeps.config.paths import CONF
from sweeps.execution.grouping import signature
from sweeps.planning.build import build
from sweeps.task import Task

_MOST_NAMED = 20  # jobs named for one mistake


def build_all(
    configs: Sequence[DictConfig | Exception], job_overrides: Sequence[Sequence[str]]
) -> list[Task]:
    """The tasks of all jobs, or one ValueError that names every wrong job's overrides.

    Args:
        configs: of every job; an error where it could not be composed.
        job_overrides: of every job.
    """
    tasks: dict[int, Task] = {}
    wrong: dict[int, Exception] = {}
    for place, config in enumerate(configs):
        try:
            if isinstance(config, Exception):
                raise config
            tasks[place] = build(config)
        except Exception as error:
            wrong[place] = error
    wrong |= _dry_run(tasks)
    if not wrong:
        return list(tasks.values())
    said = {key: explain(error, CONF) for key, error in {id(e): e for e in wrong.values()}.items()}
    texts = {place: said[id(error)] for place, error in wrong.items()}
    lines = []
    for text in dict.fromkeys(texts.values()):
        names = [" ".join(filter_overrides(job_overrides[p])) for p in texts if texts[p] == text]
        named = [name for name in names if name][:_MOST_NAMED]
        more = f" and {len(names) - len(named)} more" if len(names) > len(named) > 0 else ""
        lines.append(f"{text} [{'; '.join(named)}{more}]" if named else text)
    raise ValueError("\n".join(lines)) from next(iter(wrong.values()))


def _dry_run(tasks: dict[int, Task]) -> dict[int, Exception]:
    """What is wrong with the shapes of tasks, by place, found without compiling."""
    seen: dict[Any, Exception | None] = {}
    for task in tasks.values():
        key = signature(task.model, task.job)
        if key not in seen:
            try:
                jax.eval_shape(_first_look, task.model, task.job)
                seen[key] = None
            except (TypeError, ValueError) as error:
                short = ValueError(str(error).splitlines()[0])  # JAX's go on for many
                short.__cause__ = error
                seen[key] = short
    found = {place: seen[signature(t.model, t.job)] for place, t in tasks.items()}
    return {place: error for place, error in found.items() if error is not None}


def _first_look(model: Model, job: Job) -> Any:
    """The score of the first image: what an image's making does, but for gradient and steps."""
    recipe = job.recipe
    image = recipe.decode(recipe.init(job.key))
    return score_of(model, job, image, lambda seen, number: recipe.transform(job.key, seen))
