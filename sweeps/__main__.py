"""`python -m sweeps key=value` runs one job; `python -m sweeps -m key=a,b,c` a sweep."""

import sys

from sweeps.app import main
from sweeps.interrupt import INTERRUPTED, leave
from sweeps.messages import run
from sweeps.paths import CONF

if __name__ == "__main__":
    status = run(main, CONF)
    if status == INTERRUPTED:
        leave()  # a second chunk may be in flight
    sys.exit(status)
