"""`python -m sweeps key=value` runs one job; `python -m sweeps -m key=a,b,c` a sweep."""

import sys

from sweeps.app import main
from sweeps.messages import run
from sweeps.paths import CONF

if __name__ == "__main__":
    sys.exit(run(main, CONF))
