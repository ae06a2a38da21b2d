"""Arrow tables of rows: one type for each column, and a job's history as lists in one cell."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HISTORY = "history"  # column: a struct with a list of steps' values for each measured quantity
_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_TYPES = {"image": _PICTURE, "job_id": pa.string(), "status": pa.string()}


def to_table(rows: Iterable[Mapping[str, Any]], numbers: Collection[str] = ()) -> pa.Table:
    """Return the rows as a table; a column of numbers and text becomes text.

    Args:
        rows: the rows, whose columns may differ.
        numbers: names of columns that hold numbers even if all values are null.
    """
    rows = list(rows)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return pa.table({name: _array(name, values, numbers) for name, values in columns.items()})


def _array(name: str, values: list[Any], numbers: Collection[str]) -> pa.Array:
    if name == HISTORY:
        return _histories(values)
    try:
        return pa.array(values, pa.float64() if name in numbers else _TYPES.get(name))
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # numbers and text in one column: text
        return pa.array([None if v is None else str(v) for v in values])


def _histories(cells: Sequence[Mapping[str, Any] | None]) -> pa.Array:
    names = dict.fromkeys(name for cell in cells for name in cell or ())
    if not names:
        return pa.nulls(len(cells))
    lists = [
        pa.array([None if c is None else c.get(name) for c in cells], pa.list_(pa.float32()))
        for name in names
    ]
    return pa.StructArray.from_arrays(lists, list(names), mask=pa.array([c is None for c in cells]))


def concatenate(tables: Sequence[pa.Table]) -> pa.Table:
    """Concatenate tables; a column of numbers in one table and text in another becomes text."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return to_table(row for table in tables for row in table.to_pylist())


def explode_history(table: pa.Table) -> pa.Table:
    """Return one row for each job and step: job, step and the quantities of the column history."""
    empty = {"job": pa.array([], pa.int64()), "step": pa.array([], pa.int64())}
    if HISTORY not in table.column_names or pa.types.is_null(table[HISTORY].type):
        return pa.table(empty)
    cells = table.select(["job", HISTORY]).filter(pc.is_valid(table[HISTORY])).combine_chunks()
    if not len(cells):
        return pa.table(empty)
    struct = cells[HISTORY].combine_chunks()
    lists = {field.name: struct.field(field.name) for field in struct.type}
    lengths = {n: pc.fill_null(pc.list_value_length(x), 0).to_numpy() for n, x in lists.items()}
    steps = np.max(list(lengths.values()), axis=0)
    columns = {
        "job": np.repeat(cells["job"].to_numpy(), steps),
        "step": np.concatenate([np.arange(n) for n in steps]),
    }
    for name, values in lists.items():
        flat = np.full(len(columns["job"]), np.nan, np.float32)
        flat[np.repeat(lengths[name] == steps, steps)] = values.flatten().to_numpy()
        columns[name] = flat
    return pa.table(columns)
