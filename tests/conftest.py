"""Settings and fixtures for every test."""

import os
from pathlib import Path

# Tests compile much and run little: this halves their time. Set it to 0 to test what users run.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(0)


def shared(name: str) -> Path:
    """A file beside the repository; where it is absent the test skips, and fails under CI."""
    path = _SHARED / name
    if not path.exists():
        missing = f"{path} is not here"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path
