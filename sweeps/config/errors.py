"""Errors of the command line in one sentence: the given, the allowed and the closest name."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from antlr4.error.Errors import LexerNoViableAltException  # type: ignore[import-untyped]
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)
from yaml import YAMLError

from sweeps.config.paths import CONF
from sweeps.config.suggestions import allowed, no_key

EXPECTED = (HydraException, OmegaConfBaseException, YAMLError, ValueError, OSError)
"""The errors that a wrong config or command line raises, or a full disk."""

FULL = "HYDRA_FULL_ERROR"
_SIGNALLED = 128  # shells add it to a signal's number: 130 after Ctrl-C, 143 after SIGTERM


class Interrupted(KeyboardInterrupt):
    """A signal that ends the application as Ctrl-C does; `status` is the exit status."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        """Store the signal's number as an exit status."""
        super().__init__(signal.Signals(number).name)
        self.status = _SIGNALLED + number


class UserError(BaseException):
    """An error of the user's config or command line, which ends the application.

    It derives from BaseException because Hydra logs exceptions of callbacks as warnings, and adds
    lines to exceptions of jobs.
    """


@contextmanager
def report_user_errors() -> Iterator[None]:
    """Turn expected errors into a UserError."""
    try:
        yield
    except EXPECTED as error:
        raise UserError(explain(error, CONF)) from error


def run_cli(main: Callable[[], object], config_dir: str | Path) -> int:
    """Call the main function of a command, and return the exit status.

    Expected errors are printed as one sentence. If the environment variable HYDRA_FULL_ERROR is
    set, Hydra prints full tracebacks.
    """
    if FULL in os.environ:
        main()
        return 0
    os.environ[FULL] = "1"  # without it Hydra prints errors and exits
    try:
        main()
    except (*EXPECTED, UserError) as error:
        print(f"error: {explain(error, config_dir)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as end:
        return getattr(end, "status", Interrupted().status)
    finally:
        os.environ.pop(FULL, None)
    return 0


def explain(error: BaseException, config_dir: str | Path) -> str:
    """Explain an error to the person who typed the command, in one sentence.

    Attributes are read where Hydra and its parser have them. Comments below say where they do not,
    and where the English text is matched instead.

    Args:
        error: an error that composing or building a config raised; its causes are read too.
        config_dir: the folder of the configs, with a folder for each group.
    """
    cause: BaseException | None = error
    while cause is not None:
        sentence = _explain(cause, Path(config_dir))
        if sentence:
            return sentence
        cause = cause.__cause__
    return f"{type(error).__name__}: {_first_line(error)}".removesuffix(": ")


def _explain(error: BaseException, config_dir: Path) -> str | None:
    match error:
        case OverrideParseException():
            return _unreadable(error)
        case MissingConfigException():
            return _no_option(error, config_dir)
        case ConfigCompositionException():
            return _not_composed(error, config_dir)
        case InstantiationException():
            # Hydra names the key of a node that cannot be built in the text alone.
            where = re.search(r"^full_key: (.+)$", str(error), re.MULTILINE)
            why = explain(error.__cause__, config_dir) if error.__cause__ else _joined(error)
            return f"{where[1]}: {why}" if where else why
        case MissingMandatoryValue():
            return f"{error.full_key} has no value: give {error.full_key}=..."
        case OmegaConfBaseException():
            return ": ".join(filter(None, [error.full_key, _first_line(error)]))
        case OSError() if error.strerror and error.filename:
            return f"{error.strerror}: {error.filename}"
        case HydraException() | YAMLError() | ImportError() | OSError():
            return _joined(error)
        case ValueError() if type(error) is ValueError:
            return str(error)
        case UserError():
            return str(error)
    return None


def _unreadable(error: OverrideParseException) -> str:
    lexer = error.__context__.__context__ if error.__context__ else None
    if isinstance(lexer, LexerNoViableAltException):
        reason = f"unexpected {str(lexer.input)[lexer.startIndex :]!r}"
    elif isinstance(error.__cause__, HydraException):
        reason = _joined(error.__cause__)
    else:  # the parser's exceptions do not say which tokens it expected
        reason = _first_line(error).partition(" expecting {")[0]
    return (
        f"cannot read {error.override!r}: {reason}; write key=value, "
        "with quotes around a text that holds spaces, commas, brackets or quotes"
    )


def _no_option(error: MissingConfigException, config_dir: Path) -> str:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    if not group:
        return f"no config {name!r} in {config_dir}"
    options = error.options or sorted(path.stem for path in (config_dir / group).glob("*.yaml"))
    return f"{group} has no option {name!r}: {allowed(name, options)}"


def _not_composed(error: ConfigCompositionException, config_dir: Path) -> str | None:
    text, cause = str(error), error.__cause__
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and cause.full_key:
        node = cause.parent_node
        present = [str(key) for key in node] if isinstance(node, DictConfig) else []
        return no_key(cause.full_key, present, config_dir)
    # An experiment has grids, and another sweeper is chosen. Hydra raises without a cause here.
    if getattr(error.__context__, "full_key", None) == "hydra.sweeper.grids":
        return "a union of grids is for hydra/sweeper=grids alone: leave the other sweeper out"
    # Hydra gives no attributes to the errors below: only the text says which override is wrong.
    if match := re.match(r"Error merging override (.+)", text):
        return f"{match[1]}: {_first_line(cause)}" if cause else match[1]
    if match := re.match(r"Could not delete .*?'([^'=]+)' does not exist", text):
        return no_key(match[1], [], config_dir)
    if match := re.match(r"(?:Ambiguous value for argument|Sweep parameters) '(.+)'", text):
        return f"{match[1]} is several values: add -m for a sweep, or write [1,2] for a list"
    if match := re.match(r"You must specify '(.+?)'", text):
        options = [line.strip() for line in text.splitlines()[2:]]
        return f"{match[1]} must be chosen: allowed: {', '.join(options)}"
    return _joined(error)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")


def _joined(error: BaseException) -> str:
    """Join the lines of a message into one sentence, without addresses of manuals."""
    lines = (line.strip() for line in str(error).splitlines())
    return " ".join(line for line in lines if line and not line.startswith("See http"))
