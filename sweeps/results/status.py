"""The status of a job: its words, and the share of an arm's pictures that began."""

import pandas as pd

BAD = ("failed", "diverged")
"""Without a picture to trust, or without enough steps: an error of the job."""
BLANK = ("dead", "collapsed")
"""With a picture that shows nothing of the direction: no error, but no answer either."""


def share_begun(status: pd.Series) -> float:
    """Return the share of pictures that are neither dead nor collapsed, NaN of none.

    Jobs that failed or diverged are left out: of them it is not known.
    """
    known = status[~status.isin(BAD)]
    return float((~known.isin(BLANK)).mean()) if len(known) else float("nan")
