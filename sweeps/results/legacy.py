"""Tables from before version 0.2: columns and options are renamed, history is a file of its own."""

import re
from collections.abc import Collection
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sweeps.storage.location import Location, file_sizes

_COLUMNS = {
    "first_score": "initial_score",
    "score": "final_score",
    "parsimony": "occlusion_support",
    "natural_z": "reference_z",
    "natural_percentile": "reference_percentile",
    "natural_ratio": "reference_ratio",
    "paper_purity": "optimum_purity",
    "paper_strength": "optimum_strength",
    "dataset_purity": "best_reference_purity",
    "dataset_recovered": "best_reference_recovered",
    "dataset_strength": "best_reference_strength",
    "chunk": "batch_size",
    "images": "reference_images",
    "image_count": "reference_count",
    "metrics_headline": "metrics_optimized_metric",
    "metrics_measured": "metrics_enabled",
    "model_dial": "model_severity",
    "model_size": "model_image_size",
    "model_images": "model_reference_images",
    "model_beside": "model_also_train",
    "model_first": "model_first_attribute",
    "direction_head": "direction_attribute",
    "direction_size": "direction_image_size",
    "parameterization_deviation": "parameterization_stddev",
    "parameterization_decay": "parameterization_decay_power",
    "parameterization_images": "parameterization_reference_images",
    "parameterization_count": "parameterization_reference_count",
    "penalty_decay": "penalty_decay_ratio",
}
_HISTORY = re.compile(r"history-.*\.parquet")
_DIRECTIONS = {
    "preferring": "preferred_label",
    "strongest": "top_channels",
    "similar": "nearest_mean",
    "between": "interpolate",
    "path": "interpolation_path",
    "content": "feature_image",
}
_OPTIONS: dict[str, dict[str, str]] = {
    "direction": _DIRECTIONS,
    "penalty_unit": {"plain": "raw", "natural": "reference_std"},
    "model": {"judge": "texturenet_judge"},
    "judge": {"judge": "texturenet_judge"},
    "model_judge": {"judge": "texturenet_judge"},
    "metrics_optimized_metric": _COLUMNS,
}


def former_names(columns: Collection[str]) -> set[str]:
    """Return the columns of an old table from which `rename_columns` makes these."""
    former = {old for old, new in _COLUMNS.items() if new in columns}
    return former | {"first_score", "size"}  # the one tells an old table, the other is two columns


def rename_columns(results: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the present names; a table that has them is returned unchanged."""
    if "first_score" not in results:
        return results
    renamed = results.rename(columns=_COLUMNS)
    if "size" in renamed:
        renamed = renamed.assign(image_height=renamed["size"], image_width=renamed["size"])
        renamed = renamed.drop(columns="size")
    mapped: dict[str, Any] = {
        column: renamed[column].map(lambda value, options=options: options.get(value, value))
        for column, options in _OPTIONS.items()
        if column in renamed
    }
    return renamed.assign(**mapped)


def history_files(directory: Location) -> list[pa.Table]:
    """Return the histories of a directory in which they were files of their own."""
    parts = sorted(name for name in file_sizes(directory / "parts") if _HISTORY.fullmatch(name))
    paths = [directory / "history.parquet", *(directory / "parts" / name for name in parts)]
    return [pq.read_table(pa.BufferReader(path.read_bytes())) for path in paths if path.is_file()]
