"""Lines that move in a notebook: one output that is written anew until the work has ended."""

from threading import Event, Thread

from rich.console import RenderableType
from rich.jupyter import JupyterMixin

_EVERY = 0.25  # seconds between two refreshes


class NotebookLines(JupyterMixin):
    """What `rich.live.Live` is on a terminal; in a notebook that needs ipywidgets.

    The notebook asks for its HTML, so nothing is printed.
    """

    def __init__(self, lines: RenderableType) -> None:
        """Show the lines from `start` on."""
        self._lines = lines
        self._stopped = Event()
        self._thread = Thread(target=self._refresh, daemon=True)

    def __rich__(self) -> RenderableType:
        """Return what is shown now."""
        return self._lines

    def start(self) -> None:
        """Show the lines below the cell, and refresh them."""
        from IPython.display import display

        self._output = display(self, display_id=True)
        self._thread.start()

    def stop(self, last: RenderableType) -> None:
        """Show the last lines, which stay."""
        self._stopped.set()
        self._thread.join()
        self._lines = last
        self._output.update(self)

    def _refresh(self) -> None:
        while not self._stopped.wait(_EVERY):
            self._output.update(self)
