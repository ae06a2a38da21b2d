"""Settings and fixtures for every test."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Tests compile much and run little: this halves their time. Set it to 0 to test what users run.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# XLA's libraries choose among kernels by the processor, and on some a batch then rounds otherwise
# than one image alone. Without them all processors agree.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_experimental_ynn_fusion_type= --xla_cpu_multi_thread_eigen=false"
)

import absl.logging
import jax
import jaxtyping
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

jaxtyping.install_import_hook("fvjax", "shape_checks.check")  # before any import of fvjax

from sweeps.config.errors import run_cli
from sweeps.config.paths import CONF
from sweeps.execution.run import executor
from sweeps.launcher.app import main

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")

App = Callable[..., int]
ROOT = Path(__file__).resolve().parents[1]
_SHARED = ROOT.parent / "shared"
_SLOW, _FVJAX = ROOT / "tests" / "slow", ROOT / "tests" / "fvjax"


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything under tests/slow as slow, and let it run first, since it takes longest."""
    items.sort(key=lambda item: _SLOW not in item.path.parents)
    for item in items:
        if _SLOW in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True, scope="module")
def _forget_programs() -> Iterator[None]:
    """Each program maps memory, and beyond 65530 mappings in a process Linux lets XLA crash."""
    yield
    executor.cache_clear()
    jax.clear_caches()


@pytest.fixture(autouse=True)
def _checked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check types and shapes in tests of fvjax. Tests of the application give wrong values."""
    jaxtyping.config.update("jaxtyping_disable", _FVJAX not in request.path.parents)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def unchecked(_checked: None) -> None:
    """Check no types: for a test of the errors that a user sees."""
    jaxtyping.config.update("jaxtyping_disable", True)


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(0)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """`python -m sweeps ...` in this process, so that programs are compiled once; exit status."""
    monkeypatch.chdir(tmp_path)
    # When Hydra sets up logging, absl (imported by optax) would close pytest's captured stderr.
    absl.logging.get_absl_handler().python_handler.setStream(sys.__stderr__)

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["sweeps", *arguments])
        try:
            return run_cli(main, CONF)
        except SystemExit as end:
            return int(end.code or 0)
        finally:
            GlobalHydra.instance().clear()
            HydraConfig.instance().cfg = None

    return call


def composed(*overrides: str) -> Any:
    """The config of one job, as the command line `python -m sweeps OVERRIDES` composes it."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", list(overrides), return_hydra_config=True)


def assert_equal_leaves(first: Any, second: Any) -> None:
    """Compare two pytrees leaf by leaf."""
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_array_equal(one, other)


def shared(name: str) -> Path:
    """A file beside the repository; where it is absent the test skips, and fails under CI."""
    path = _SHARED / name
    if not path.exists():
        missing = f"{path} is not here"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path
