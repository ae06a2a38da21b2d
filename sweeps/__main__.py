"""`python -m sweeps key=value` runs one job; `python -m sweeps -m key=a,b,c` a sweep."""

import sys

from sweeps.config.errors import INTERRUPTED, run_cli
from sweeps.config.paths import CONF
from sweeps.execution.interrupt import leave
from sweeps.launcher.app import main

if __name__ == "__main__":
    status = run_cli(main, CONF)
    if status == INTERRUPTED:
        leave()  # a second batch may be in flight
    sys.exit(status)
