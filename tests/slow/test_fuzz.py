"""A thousand hostile inputs for each reader: each is read or refused in one sentence."""

from pathlib import Path

import pytest
from fuzz.readers import READERS
from fuzz.run import described, fuzz

_INPUTS = 1000


@pytest.mark.filterwarnings("default")  # of libraries that read broken files
@pytest.mark.parametrize("name", READERS)
def test_no_input_ends_in_a_crash(name: str, tmp_path: Path) -> None:
    counts = fuzz(READERS[name], _INPUTS, first_seed=1)
    assert not counts.crashes, described(counts)
    assert counts.inputs >= _INPUTS and counts.refused > 0 and counts.read > 0
    assert counts.memory < 2048  # MiB, though inputs declare up to 10**11 numbers
