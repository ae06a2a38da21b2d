"""The scale of probabilities on which differences are less skewed: log odds."""

import numpy as np
import pandas as pd
from scipy.special import logit

CLIP = 6.0  # of log odds: probabilities from .0025 to .9975


def to_log_odds(values: pd.Series, name: str) -> pd.Series:
    """Return log(p / (1 - p)), clipped at 6 to either side; NaN stay.

    Args:
        values: probabilities.
        name: what they are, for the message.

    Raises:
        ValueError: a value is not between 0 and 1.
    """
    if not values.dropna().between(0, 1).all():
        raise ValueError(f"log odds are of numbers from 0 to 1: {name} has others")
    return pd.Series(np.clip(logit(values), -CLIP, CLIP), values.index)


def name_scale(name: str, is_log_odds: bool) -> str:
    """Return the name of the judged numbers."""
    return f"log odds of {name}" if is_log_odds else name
