"""The table of results, one row per job: parts are written as parquet and read for pandas."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
import pyarrow as pa

from fvjax import checks
from sweeps.results import parts
from sweeps.results.arrow import HISTORY, concatenate, explode_history, to_table
from sweeps.results.legacy import former_names, history_files, rename_columns
from sweeps.results.part_files import BAD, PARTS, RESULTS
from sweeps.results.parts import holds_results as holds_results
from sweeps.results.parts import merge, read_directory
from sweeps.results.pictures import restore_pictures
from sweeps.results.snapshots import SNAPSHOTS
from sweeps.storage.location import Location, locate

log = logging.getLogger(__name__)

DIRECTORY = "directory"  # the attribute of a table (`table.attrs`) that says where it was read

# All columns but the config's. A config group has a column with the chosen option, and a column
# <group>_<key> for each key; top-level keys keep their names.
COLUMNS = {
    "job": "Hydra's job number, by which the job's directory is named unless hydra.sweep.subdir "
    "says otherwise; 0 for a single run",
    "job_id": "hash of the resolved config without hydra.*, and of the files and folders that it "
    "names: equal jobs have equal ids",
    "status": "ok; failed: an error while running; diverged: a step that was not finite, or a "
    "final score below the first image's, which too few steps can also cause; dead: the direction "
    "never had a gradient, the image stayed grey; collapsed: a gradient reached the image, but its "
    "reference_percentile is below 50 (of a planted feature: its strength below .05), or above 50 "
    "for objective.sign=-1. Without reference images, collapsed is not decided",
    "error": "what was wrong with a failed or diverged job",
    "label": "the direction, for people",
    "kind": "point, vector or covector: how the direction travels through a linear transform",
    "initial_score": "the objective of the first image, untransformed",
    "final_score": "the objective of the final image, untransformed",
    "dot": "mean over positions of a·v/|v|",
    "cosine": "mean over positions of cos(a, v)",
    "norm": "mean over positions of |a|",
    "orthogonal": "mean over positions of |a⊥|/|a|",
    "rank": "place of the channel among all channels by mean activation, 1 = first; null unless "
    "the direction is one channel",
    "inversion_error": "mean|a - v|²/mean|v|²; null for a covector, which has no length",
    "occlusion_support": "smallest share of the image's 8 x 8 patches that carries 90 % of the dot "
    "product; null where the dot product is not positive",
    "previous_l1": "mean |a| of the main-path layer before; null for the first layer",
    "previous_l2": "mean a² of the main-path layer before; null for the first layer",
    "robust_dot": "mean of dot over 16 fixed random views by the job's transform",
    "robust_cosine": "mean of cosine over the same views",
    "reference_z": "dot, standardised by the reference images' own dots",
    "reference_percentile": "share of the reference images that dot exceeds, in percent",
    "reference_ratio": "dot over the reference images' largest",
    "excitation": "mean over channels of their activation, standardised by the reference images: "
    "how much the picture excites everything",
    "differential": "reference_z - excitation",
    "whitened_cosine": "mean over positions of the cosine in the whitened space",
    "mahalanobis": "root mean square, over positions and channels, of the whitened activation: 1 "
    "for reference images",
    "class_distance": "distance of the mean activation to the nearest class centroid, in the "
    "classes' shared whitened coordinates; the largest over the labels",
    "centroid_margin": "distance to the second nearest class centroid less that to the nearest; "
    "the smallest over the labels",
    "transfer": "probability of the direction's class by the judge, another network: softmax over "
    "the classes that exclude each other; null where the direction is no class of it",
    "ambiguity": "how many labels the judge reads, 1 = it is sure: exp of the entropy of its "
    "probabilities, over the classes that exclude each other; null where transfer is",
    "purity": "planted model: the feature's share of all features' content, over the same of the "
    "oracle's image; null where there is hardly any content",
    "margin": "planted model: the feature's content less the largest other's",
    "recovered": "planted model: 1 where the margin is above .1, else 0",
    "strength": "planted model: the feature's content, 1 = the most that any oracle image has",
    "decoys": "planted model: mean content of the decoys, contrast that no feature stands for",
    "grating_purity": "planted model: purity with the rendered grating in place of the oracle's "
    "image, a yardstick that no optimizer made",
    "grating_strength": "planted model: strength, 1 = the most that any rendered grating has",
    "optimum_purity": "planted model: the feature's share in the optimum on paper, the content "
    "that the objective wants if an image could have any",
    "optimum_strength": "planted model: the feature's content in the optimum on paper",
    "best_reference_purity": "planted model: purity of the reference image that the objective "
    "ranks first",
    "best_reference_recovered": "planted model: recovered, of that image",
    "best_reference_strength": "planted model: strength, of that image",
    "total_variation": "mean absolute difference of neighbouring pixels",
    "high_frequency": "share of the spectral power above half the Nyquist frequency",
    "saturated": "share of pixel values below .01 or above .99",
    "content": "planted model: every feature's content, a list; 1 = the most that any oracle "
    "image has",
    "weights_hash": "hash of the network's weights; with a judge, + and the hash of its weights",
    "reference_hash": "hash of the reference images, or of the sampler that draws them; null "
    "without reference images",
    "version": "version of fvjax that made the row",
    "attempt": "number of the sweep's start that made the row: 1, and one more for each resume",
    "seconds": "the batch's wall time, compilation apart, divided by its jobs",
    "compile_seconds": "that the job's batch waited for its programs; others run while they are "
    "compiled",
    "steps_run": "gradient steps taken: fewer than `steps` if the job stopped because it had "
    "converged",
    "device": "what the batch ran on; `2 x cpu` are two devices",
    "program": "equal for jobs of equal structure, which share a compiled program",
    "batch_size": "jobs in one run of the program, padding included",
    "image": "the final image, untransformed: a struct of PNG bytes and path within the directory",
    "snapshot_images": "the images after the steps of `snapshots`: a list of structs of step, PNG "
    "bytes and path; null without snapshots",
}


_MEANINGS = list(COLUMNS)
METRICS = tuple(_MEANINGS[_MEANINGS.index("initial_score") : _MEANINGS.index("saturated") + 1])
_NUMBERS = {*METRICS, "seconds", "compile_seconds"}


def write_part(directory: Location, rows: Sequence[Mapping[str, Any]], attempt: int = 1) -> None:
    """Write rows as another part, atomically and durably.

    Args:
        directory: the directory of the sweep or run.
        rows: the rows; the cell `history` maps each measured quantity to its values by step.
        attempt: the number of this start of the sweep: a later attempt's row of a job counts.
    """
    table = to_table([{**row, "attempt": attempt} for row in rows], _NUMBERS)
    parts.write_part(directory, table, attempt)


def consolidate(directory: Location) -> pd.DataFrame:
    """Merge all parts into results.parquet; set unreadable parts aside; restore lost pictures."""
    rows = merge(directory)
    restore_pictures(directory, rows)
    results = _to_pandas(rows.drop_columns([HISTORY] if HISTORY in rows.column_names else []))
    results.attrs[DIRECTORY] = str(directory)
    return results


def load(
    path: str | Location, columns: Sequence[str] | None = None, images: bool = True
) -> pd.DataFrame:
    """Return the results of a sweep, of a run, or of a folder of sweeps (with a column `sweep`).

    A killed sweep has the rows of its finished batches. Files that cannot be read are left out,
    with a warning that names them.

    With `columns` or `images=False`, only parts of the files are read. Those parts are verified by
    the checksums of their pages. A damaged byte in the other columns is not noticed, nor one in a
    page's header or the file's footer that still can be read. Without both, whole files are
    verified.

    Args:
        path: the directory of the sweep or run, or the folder.
        columns: the columns to read, in this order; all if None.
        images: whether `image` and `snapshot_images` are read where `columns` does not decide.

    Raises:
        ValueError: the folder holds no results, or none that can be read; no file has a column.
    """
    folder = locate(path)
    read = None if columns is None else {*columns, *former_names(columns)}
    left_out = {HISTORY} if images else {HISTORY, "image", SNAPSHOTS}

    def is_wanted(name: str) -> bool:
        return name not in left_out if read is None else name in read

    whole = columns is None and images
    results = rename_columns(_load(folder, partial(_read, wanted=is_wanted, whole=whole)))
    if columns is not None:
        for name in columns:
            if name not in results:
                checks.choice("column", name, load(folder, images=False).columns)
        first = ["sweep"] if "sweep" in results and "sweep" not in columns else []
        results = results[[*first, *columns]]
    results.attrs[DIRECTORY] = str(folder)
    return results


def load_history(path: str | Location) -> pd.DataFrame:
    """Return the history of each job and step (`job step score dot ...`), for `load`'s paths."""

    def read(directory: Location) -> pa.Table:
        rows = _read(directory, lambda name: name == HISTORY)
        return concatenate([explode_history(rows), *history_files(directory)])

    return _load(locate(path), read)


def _load(path: Location, read: Callable[[Location], pa.Table]) -> pd.DataFrame:
    """Return what `read` makes of each directory of results."""
    if holds_results(path):
        return _to_pandas(read(path))
    patterns = (f"{RESULTS}.parquet", f"{PARTS}/{RESULTS}-*.parquet")
    directories = {
        p.parent.parent if p.parent.name == PARTS else p.parent
        for pattern in patterns
        for p in path.rglob(pattern)
        if p.parent.name != BAD
    }
    if not directories:
        raise ValueError(f"{path} holds no results: no {RESULTS}.parquet in it or below")
    tables = []
    for directory in sorted(directories):
        try:
            table = read(directory)
        except ValueError as error:
            log.warning(str(error))
            continue
        name = pa.array([str(PurePosixPath(str(directory)).relative_to(str(path)))] * len(table))
        tables.append(table.add_column(0, "sweep", name))
    return _to_pandas(concatenate(tables))


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _read(directory: Location, wanted: Callable[[str], bool], whole: bool = True) -> pa.Table:
    stored = read_directory(directory, wanted, whole)
    for path, reason in stored.bad.items():
        log.warning(f"{path} cannot be read and is left out: {reason}")
    if not stored.rows.column_names:
        raise ValueError(f"{directory} holds no results that can be read")
    return stored.rows
