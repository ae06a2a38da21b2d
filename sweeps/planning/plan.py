"""The tasks of a sweep, or all of its mistakes at once, before anything is compiled."""

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import jax
from hydra.core.utils import filter_overrides
from jax import Array
from omegaconf import DictConfig

from fvjax.models.model import Model
from fvjax.optimization.octaves import by_size
from fvjax.optimization.recipe import Job
from fvjax.optimization.score import score_of
from fvjax.transforms import Transform
from fvjax.types import Image, Key
from sweeps.config.composed import Composed
from sweeps.config.errors import explain
from sweeps.config.paths import CONF
from sweeps.execution.batched import without_steps
from sweeps.execution.grouping import signature
from sweeps.planning.build import Builder
from sweeps.task import Task

_MOST_NAMED = 20  # jobs named for one mistake
_GOT = re.compile(r"\bgot .*$")  # the part in which equal mistakes differ


def build_all(
    configs: Iterable[DictConfig | Composed | Exception],
    job_overrides: Sequence[Sequence[str]],
) -> list[Task]:
    """Build the tasks of all jobs.

    Args:
        configs: the config of each job, or the error that composing it raised.
        job_overrides: the overrides of each job.

    Raises:
        ValueError: some jobs are wrong; each mistake is one line that names its jobs' overrides.
    """
    builder = Builder()
    tasks: dict[int, Task] = {}
    wrong: dict[int, Exception] = {}
    for place, config in enumerate(configs):
        try:
            if isinstance(config, Exception):
                raise config
            tasks[place] = builder.build(config)
        except Exception as error:
            wrong[place] = error
    wrong |= _dry_run(tasks)
    if not wrong:
        return list(tasks.values())
    errors = {id(error): error for error in wrong.values()}  # jobs of one kind share an error
    sentences = {key: explain(error, CONF) for key, error in errors.items()}
    texts = {place: sentences[id(error)] for place, error in wrong.items()}
    lines = []
    kinds: dict[str, list[int]] = {}
    for place, text in texts.items():
        kinds.setdefault(_GOT.sub("got ...", text), []).append(place)
    for places in kinds.values():
        text = texts[places[0]]
        names = [" ".join(filter_overrides(job_overrides[p])) for p in places]
        named = [name for name in names if name][:_MOST_NAMED]
        more = f" and {len(names) - len(named)} more" if len(names) > len(named) > 0 else ""
        lines.append(f"{text} [{'; '.join(named)}{more}]" if named else text)
    raise ValueError("\n".join(lines)) from next(iter(wrong.values()))


def _dry_run(tasks: dict[int, Task]) -> dict[int, Exception]:
    """Return the errors in the shapes of tasks, by place, without compiling."""
    seen: dict[Any, Exception | None] = {}
    keys = {place: signature(t.model, without_steps(t.job)) for place, t in tasks.items()}
    for place, key in keys.items():
        task = tasks[place]
        if key not in seen:
            try:
                jax.eval_shape(_score_first_image, task.model, task.job)
                seen[key] = None
            except (TypeError, ValueError) as error:
                short = ValueError(str(error).splitlines()[0])  # JAX's messages have many lines
                short.__cause__ = error
                seen[key] = short
    errors = {place: seen[key] for place, key in keys.items()}
    return {place: error for place, error in errors.items() if error is not None}


def _score_first_image(model: Model, job: Job) -> Any:
    """Return the score of each octave's first image: a step without its gradient."""
    scores = []
    for octave in by_size(job):
        recipe = octave.recipe
        image = recipe.decode(recipe.init(job.key))
        views = partial(_view, recipe.transform, job.key)
        scores.append(score_of(model, octave, image, views))
    return scores


def _view(transform: Transform, key: Key, image: Image, number: int | Array) -> Image:
    del number
    return transform(key, image)
