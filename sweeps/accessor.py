"""`table.sweeps`: figures of a table that `sweeps.load` or `sweeps.run` returned.

Matplotlib is imported when a figure is drawn.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from sweeps.results.table import DIRECTORY, load_history

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Names = str | Sequence[str]  # of columns


@pd.api.extensions.register_dataframe_accessor("sweeps")
class SweepsAccessor:
    """Figures of the jobs in a table; `savefig` writes one, and a notebook shows it."""

    def __init__(self, results: pd.DataFrame) -> None:
        """Refuse a table that holds no jobs of a sweep."""
        missing = [name for name in ("job", "status", "image", "label") if name not in results]
        if missing:
            raise AttributeError(
                f"the table has no column {missing[0]!r}: .sweeps is for what sweeps.load returns"
            )
        self._results = results

    def images(self, captions: Names = (), columns: int = 8, pixels: int = 128) -> "Figure":
        """Return all images in the order of the table, `columns` in a row.

        Args:
            captions: metrics to write under each.
            columns: pictures in a row.
            pixels: the side of a picture.
        """
        from sweeps.results.picture_grid import draw_images

        return draw_images(self._jobs(), _list(captions), pixels, columns)

    def sheet(
        self, rows: Names = (), columns: Names = (), captions: Names = (), pixels: int = 128
    ) -> "Figure":
        """Return the images in rows and columns, as `python -m sweeps.figure` draws them.

        Args:
            rows: columns of the table that name the rows; directions and seeds if empty.
            columns: columns of the table that name the columns; all other differences if empty.
            captions: metrics to write under each.
            pixels: the side of a picture.
        """
        from sweeps.results.picture_grid import draw_grid

        return draw_grid(self._jobs(), _list(captions), pixels, _list(rows), _list(columns))

    def curves(
        self, quantity: str = "score", by: Names = (), history: pd.DataFrame | None = None
    ) -> "Figure":
        """Return a quantity at each step: thin lines are jobs, thick ones the means of arms.

        Args:
            quantity: a column of the history, such as score, dot, cosine or norm.
            by: columns of the table that make the arms; all that differs if empty.
            history: of the jobs; read from the sweep's directory if None.
        """
        from sweeps.results.plots import draw_curves

        jobs = self._jobs()
        if history is None:
            if DIRECTORY not in jobs.attrs:
                raise ValueError(
                    "the table does not know its directory: give history=sweeps.load_history(DIR)"
                )
            history = load_history(jobs.attrs[DIRECTORY])
        return draw_curves(jobs, history, quantity, _list(by))

    def scatter(self, x: str, y: str, by: Names = (), pixels: int = 40) -> "Figure":
        """Return each job's picture at two of its numbers, framed in its arm's colour.

        Args:
            x: a column of numbers.
            y: a column of numbers.
            by: columns of the table that make the arms; all that differs if empty.
            pixels: the side of a picture.
        """
        from sweeps.results.plots import draw_scatter

        return draw_scatter(self._jobs(), x, y, _list(by), pixels)

    def compare(self, by: Names, metrics: Names, baseline: str | None = None) -> "Figure":
        """Return the arms' paired differences to a baseline, with 95 % intervals over directions.

        The numbers are those of `sweeps.analysis.comparison.compare`.

        Args:
            by: columns or groups that make the arms.
            metrics: columns of numbers.
            baseline: the arm to compare with; the first in the table if None.
        """
        from sweeps.analysis.comparison import compare
        from sweeps.results.plots import draw_differences

        return draw_differences(compare(self._jobs(), _list(by), _list(metrics), baseline))

    def _jobs(self) -> pd.DataFrame:
        if self._results.empty:
            raise ValueError("the table has no jobs")
        return self._results


def _list(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else list(names)
