"""`python -m sweeps.retrieve key=a,b ...`: rank reference images by objectives, optimizing nothing.

Every objective is also a ranking function. Keys are those of `python -m sweeps -m`. Writes
retrieval.parquet, one row per job: the config's columns, `label`, `concept` (the label that the
direction stands for), `average_precision` of the images that have it, `chance` (their share),
`best`, the highest score, and `top`, the numbers of the best images; and retrieval.png, the best
images of each job.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Float
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from fvjax.models.model import Model, with_model_precision
from fvjax.optimization.gradient_balance import balanced
from fvjax.optimization.recipe import Job, stack_jobs
from fvjax.optimization.score import score_of
from fvjax.reference.activation_statistics import ReferenceStatistics
from sweeps.config.command_help import help_requested
from sweeps.config.config_dirs import search_config_dirs
from sweeps.config.enumerate_jobs import jobs_of
from sweeps.config.errors import run_cli
from sweeps.config.paths import CONF
from sweeps.execution.grouping import group_tasks
from sweeps.execution.jax_setup import begin
from sweeps.planning.environment import environment
from sweeps.planning.plan import build_all
from sweeps.results.contact_sheet import write_tiles
from sweeps.results.labels import arm_labels, row_labels
from sweeps.task import Task

TOP = 12  # images shown of each job
_JOBS, _IMAGES = 64, 8  # scored together
_OWN = ("concept", "average_precision", "chance", "best", "top")  # columns beside the config's


def main(arguments: Sequence[str]) -> None:
    """Rank the reference images, write the table and the images, and print a summary."""
    if help_requested(arguments, __doc__):
        return
    jobs = jobs_of(
        [one for one in search_config_dirs(arguments) if one not in ("-m", "--multirun")]
    )
    tasks = build_all(jobs.configs, jobs.overrides)
    directory = Path(str(jobs.master.hydra.sweep.dir))
    command = "python -m sweeps.retrieve"
    references = [environment(c)[1].require_reference(command) for c in jobs.configs]
    images = [reference.require_images(command) for reference in references]
    table = pd.DataFrame(rank_images(tasks, references))
    directory.mkdir(parents=True, exist_ok=True)
    table.to_parquet(directory / "retrieval.parquet")
    tiles = [[images[i].image(n) for n in top] for i, top in enumerate(table["top"])]
    config = table.drop(columns=list(_OWN))
    names = (row_labels(config) + " | " + arm_labels(config)).tolist()
    hidden = write_tiles(tiles, names, directory / "retrieval.png")
    console = Console()
    console.print(summary(table))
    for name in ("retrieval.parquet", "retrieval.png"):
        console.print(str(directory / name), soft_wrap=True, highlight=False, markup=False)
    if hidden:
        console.print(f"{hidden} jobs not shown; all are in retrieval.parquet", highlight=False)


def rank_images(
    tasks: Sequence[Task], references: Sequence[ReferenceStatistics]
) -> list[dict[str, Any]]:
    """Return a row for each task, with the ranking of the reference images by its score."""
    if any(task.job.recipe.images_per_job > 1 for task in tasks):
        raise ValueError("images_per_job must be 1 to rank single images")
    scores: dict[int, np.ndarray] = {}
    for group in group_tasks(tasks, measured=False):
        for first in range(0, len(group.members), _JOBS):
            members = group.members[first : first + _JOBS]
            chosen = [tasks[m].job for m in members]
            group_scores = score_images(group.model, chosen, references[members[0]])
            scores |= dict(zip(members, group_scores, strict=True))
    return [_row(task, scores[place], references[place]) for place, task in enumerate(tasks)]


def score_images(
    model: Model, jobs: Sequence[Job], reference: ReferenceStatistics
) -> Float[np.ndarray, "jobs images"]:
    """Score every untransformed reference image by each of several jobs."""
    ready = jax.jit(jax.vmap(balanced, (None, 0)))(model, stack_jobs(jobs))
    parts = [_scores(model, ready, batch.images) for batch in reference.require_images("a ranking")]
    return np.concatenate(parts, 1)


@jax.jit
@with_model_precision
def _scores(model: Model, jobs: Job, images: Array) -> Float[Array, "jobs images"]:
    def score_image(job: Job, image: Array) -> Array:
        return score_of(model, job, image)[0]

    # The network does not depend on the job: under this vmap it runs once for all of them.
    scores: Array = jax.lax.map(
        lambda image: jax.vmap(partial(score_image, image=image))(jobs), images, batch_size=_IMAGES
    )
    return scores.T


def _row(task: Task, scores: np.ndarray, reference: ReferenceStatistics) -> dict[str, Any]:
    relevant = reference.label_mask(task.info.concept)
    row = {**task.columns, "layer": task.info.direction.layer, "label": task.info.label}
    row |= {"kind": task.info.kind, "concept": task.info.concept}
    row |= {"average_precision": None, "chance": None}
    if relevant is not None and relevant.any():
        row["average_precision"] = average_precision(scores, relevant)
        row["chance"] = float(relevant.mean())
    top = np.argsort(-scores, kind="stable")[:TOP].tolist()
    return row | {"best": float(scores[top[0]]), "top": top}


def average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Return the mean precision at the rank of each relevant image (scikit-learn's definition)."""
    from sklearn.metrics import average_precision_score  # takes two seconds to import

    return float(average_precision_score(relevant, scores))


def summary(table: pd.DataFrame) -> Table:
    """Return a printable table of the mean average precision of each arm."""
    shown = Table("", "jobs", "average precision", "chance", box=SIMPLE, pad_edge=False)
    named = arm_labels(table.drop(columns=list(_OWN)))
    for arm, jobs in table.groupby(named, sort=False):
        means = jobs[["average_precision", "chance"]].astype(float).mean()
        cells = [f"{value:.3f}" if pd.notna(value) else "" for value in means]
        shown.add_row(str(arm) or "all", str(len(jobs)), *cells)
    return shown


if __name__ == "__main__":
    begin()
    sys.exit(run_cli(lambda: main(sys.argv[1:]), CONF))
