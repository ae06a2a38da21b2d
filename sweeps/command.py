"""The entry point of `fvjax` and `python -m sweeps`: a job, a sweep or another command."""

import runpy
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib.util import find_spec

from sweeps.config.command_help import COMMANDS
from sweeps.config.errors import run_cli
from sweeps.config.paths import CONF
from sweeps.execution.progress import progress

_FLAGS = ("-m", "--multirun", "--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp")
"""Hydra's flags with which it runs jobs."""


def run(arguments: Sequence[str]) -> int:
    """Run the command that the first argument names, or else the Hydra application.

    Returns:
        The exit status: 0, 1 after an error, 130 after Ctrl-C, 143 after SIGTERM.
    """
    if arguments and arguments[0] in available():
        return run_module(f"sweeps.{arguments[0]}", arguments[1:])
    return run_application(arguments)


def available() -> list[str]:
    """Return the names of the commands whose modules this installation has."""
    return [name for name in COMMANDS if find_spec(f"sweeps.{name}")]


def run_module(module: str, arguments: Sequence[str]) -> int:
    """Do what `python -m MODULE ARGUMENTS` does, and return the exit status."""
    sys.modules.pop(module, None)  # it runs anew, as __main__; runpy warns if it was imported
    before = sys.argv
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = before
    return 0


def run_application(arguments: Sequence[str]) -> int:
    """Run one job, or with -m a sweep, by Hydra."""
    with progress() if _computes(arguments) else nullcontext():
        # These import JAX: a command's help need not wait, and who waits sees what for.
        from sweeps.execution.interrupt import leave
        from sweeps.launcher.app import main

        sys.argv[1:] = arguments
        status = run_cli(main, CONF)
    if status > 1:  # a signal came, and a second batch may be in flight
        leave(status)
    return status


def _computes(arguments: Sequence[str]) -> bool:
    """Return whether Hydra will run jobs: all other flags, such as --cfg, ask it to print."""
    flags = (argument.partition("=")[0] for argument in arguments if argument.startswith("-"))
    return all(flag in _FLAGS for flag in flags)
