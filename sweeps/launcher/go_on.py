"""What a stopped command says: where its rows are, and the command that goes on."""

import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sweeps.config.errors import UserError, explain
from sweeps.config.paths import CONF, RESULTS_KEY, directory_key
from sweeps.results.parts import holds_results
from sweeps.storage.directory_lock import written_directories
from sweeps.storage.location import Location

log = logging.getLogger(__name__)

_MULTIRUN = {"-m", "--multirun", "hydra.mode=MULTIRUN"}


@contextmanager
def say_how_to_go_on() -> Iterator[None]:
    """Name the directory and the command that goes on, if a signal or a full disk ends the command.

    Raises:
        UserError: an OSError, with both in its message.
    """
    try:
        yield
    except KeyboardInterrupt:
        log.warning(last_words())
        raise
    except (OSError, UserError) as error:
        if not _is_of_system(error) or not (hint := _hint()):
            raise
        raise UserError(f"{explain(error, CONF)}; {hint}") from error


def last_words() -> str:
    """Return what an interrupted command says."""
    return f"interrupted; {_hint() or 'nothing was written'}"


def how_to_go_on(directory: Location) -> str:
    """Return one line for a directory: what it keeps, and the command that goes on."""
    if command := how_to_resume(directory):
        return f"{directory} keeps what is done; to go on: {command}"
    if holds_results(directory):
        return f"{directory} keeps the row of the job"
    return f"{directory} keeps no row; to begin again: {given_command()}"


def given_command() -> str:
    """Return the command line of this process, for a shell."""
    return _command(sys.argv[1:])


def how_to_resume(directory: Location) -> str | None:
    """Return the command that runs what a sweep's directory lacks; None for a single run."""
    arguments = sys.argv[1:]
    if not _MULTIRUN & set(arguments):
        return None
    given = any(text.startswith(f"{RESULTS_KEY}=") for text in arguments)  # it may be a path
    key = RESULTS_KEY if given else directory_key(directory)
    resume = [f"{key}={directory}", "hydra.launcher.resume=true"]
    keys = {override.partition("=")[0] for override in resume}
    kept = [text for text in arguments if text.partition("=")[0] not in keys]
    return _command([*kept, *resume])


def _hint() -> str:
    return "; ".join(how_to_go_on(directory) for directory in written_directories())


def _command(arguments: list[str]) -> str:
    return shlex.join(["python", "-m", "sweeps", *arguments])


def _is_of_system(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__
    return error is not None
