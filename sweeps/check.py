"""All mistakes of a sweep at once, before anything is compiled or written."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from hydra.core.utils import filter_overrides
from omegaconf import DictConfig

from fvjax.models.model import Model
from fvjax.recipe import Job
from fvjax.score import score_of
from sweeps.build import Task, build
from sweeps.lock import LOCK
from sweeps.messages import explain
from sweeps.paths import CONF
from sweeps.plan import signature

_MOST_NAMED = 20  # jobs named for one mistake


def build_all(configs: Sequence[DictConfig], job_overrides: Sequence[Sequence[str]]) -> list[Task]:
    """The tasks of all jobs, or one ValueError that names every wrong job's overrides."""
    tasks: dict[int, Task] = {}
    wrong: dict[int, str] = {}
    for place, config in enumerate(configs):
        try:
            tasks[place] = build(config)
        except Exception as error:
            wrong[place] = explain(error, CONF)
    wrong |= _dry_run(tasks)
    if not wrong:
        return list(tasks.values())
    lines = []
    for text in dict.fromkeys(wrong.values()):
        names = [" ".join(filter_overrides(job_overrides[p])) for p in wrong if wrong[p] == text]
        named = [name for name in names if name][:_MOST_NAMED]
        more = f" and {len(names) - len(named)} more" if len(names) > len(named) > 0 else ""
        lines.append(f"{text} [{'; '.join(named)}{more}]" if named else text)
    raise ValueError("\n".join(lines))


def _dry_run(tasks: dict[int, Task]) -> dict[int, str]:
    """What is wrong with the shapes of tasks, by place, found without compiling."""
    seen: dict[Any, str | None] = {}
    for task in tasks.values():
        key = signature(task.piece.model, task.piece.job)
        if key not in seen:
            try:
                jax.eval_shape(_first_look, task.piece.model, task.piece.job)
                seen[key] = None
            except (TypeError, ValueError) as error:
                seen[key] = str(error).splitlines()[0]
    found = {place: seen[signature(t.piece.model, t.piece.job)] for place, t in tasks.items()}
    return {place: text for place, text in found.items() if text is not None}


def _first_look(model: Model, job: Job) -> Any:
    """The score of the first image: what an image's making does, but for gradient and steps."""
    recipe = job.recipe
    image = recipe.decode(recipe.init(job.key))
    return score_of(model, job, image, lambda seen, number: recipe.transform(job.key, seen))


def discard(directory: Path) -> None:
    """Take away what Hydra wrote for a refused job or sweep, where there is nothing else."""
    hydra = {directory / name for name in (".hydra", "multirun.yaml", LOCK)}
    hydra |= {*(directory / ".hydra").glob("*.yaml")}
    hydra |= {path for path in directory.glob("*.log") if path.stat().st_size == 0}
    if not directory.is_dir() or {*directory.rglob("*")} - hydra:
        return
    shutil.rmtree(directory)
    for folder in directory.absolute().parents:
        if Path.cwd() not in folder.parents or any(folder.iterdir()):
            break
        folder.rmdir()
