"""`python -m sweeps key=value` runs one job; `python -m sweeps -m key=a,b,c` a sweep."""

import sys

from fvjax_command import main

if __name__ == "__main__":
    sys.exit(main())
