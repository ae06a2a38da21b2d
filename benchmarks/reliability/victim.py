"""A sweep whose process sends itself a signal at a chosen moment.

`python victim.py SIGNAL EVENT COUNT -m ...` is `python -m sweeps -m ...`, in which the signal comes
before the COUNT-th EVENT. Events: `fsync` of a file, `replace` of a file by its new content, and
`unlink` of a part that has been merged.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def arm(number: int, event: str, count: int) -> None:
    """Let this process send itself the signal at the event."""
    counted = 0

    def before(original: Callable[..., Any], is_event: Callable[..., bool]) -> Callable[..., Any]:
        def function(*arguments: Any, **keywords: Any) -> Any:
            nonlocal counted
            counted += is_event(*arguments)
            if counted == count and is_event(*arguments):
                os.kill(os.getpid(), number)
            return original(*arguments, **keywords)

        return function

    if event == "fsync":
        os.fsync = before(os.fsync, lambda descriptor: True)
    elif event == "replace":
        Path.replace = before(Path.replace, lambda path, target: "results" in path.name)  # type: ignore[method-assign]
    else:
        Path.unlink = before(Path.unlink, lambda path: path.match("parts/*.parquet"))  # type: ignore[method-assign]


if __name__ == "__main__":
    given, event, count, *arguments = sys.argv[1:]
    arm(int(given), event, int(count))
    from fvjax_command import main

    sys.exit(main(arguments))
