"""Settings and fixtures for every test."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

# Tests compile much and run little: this halves their time. Set it to 0 to test what users run.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# XLA's libraries choose among kernels by the processor, and on some a batch then rounds otherwise
# than one image alone. Without them all processors agree.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_experimental_ynn_fusion_type= --xla_cpu_multi_thread_eigen=false"
)

import absl.logging
import jax
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from sweeps.app import main
from sweeps.messages import run
from sweeps.paths import CONF
from sweeps.run import executor

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")

App = Callable[..., int]
_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True, scope="module")
def _forget_programs() -> Iterator[None]:
    """Each program maps memory, and beyond 65530 mappings in a process Linux lets XLA crash."""
    yield
    executor.cache_clear()
    jax.clear_caches()


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
            return run(main, CONF)
        except SystemExit as end:
            return int(end.code or 0)
        finally:
            GlobalHydra.instance().clear()
            HydraConfig.instance().cfg = None

    return call


def shared(name: str) -> Path:
    """A file beside the repository; where it is absent the test skips, and fails under CI."""
    path = _SHARED / name
    if not path.exists():
        missing = f"{path} is not here"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path
