"""What holds on an accelerator: values, gradients, batches, precisions, and memory that runs out.

Skipped where JAX finds no accelerator. On one, run
JAX_DISABLE_MOST_OPTIMIZATIONS=0 python -m pytest tests/slow/test_accelerator.py.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fvjax
import sweeps
from fvjax.ops import layers
from fvjax.ops.depthwise import depthwise
from fvjax.ops.relu6 import relu6
from sweeps.execution.batched import run_jobs

pytestmark = pytest.mark.skipif(jax.default_backend() == "cpu", reason="JAX finds no accelerator")

ROOT = Path(__file__).resolve().parents[2]
Operation = Callable[[Any], Any]


def normal(seed: int, *shape: int) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), shape)


OPERATIONS: dict[str, tuple[Operation, tuple[int, ...]]] = {
    "conv": (lambda x: layers.conv(x, normal(1, 3, 3, 16, 40), 1, ((1, 1), (1, 1))), (12, 14, 16)),
    "conv 1x1": (lambda x: layers.conv(x, normal(1, 1, 1, 16, 40)), (12, 14, 16)),
    "conv 5x5": (lambda x: layers.conv(x, normal(1, 5, 5, 16, 8), 1, ((2, 2), (2, 2))), (9, 8, 16)),
    "conv stride": (
        lambda x: layers.conv(x, normal(1, 7, 7, 3, 24), 2, ((3, 3), (3, 3))),
        (33, 30, 3),
    ),
    "depthwise": (
        lambda x: depthwise(x, normal(1, 5, 5, 24), 2, ((1, 2), (1, 2))),
        (16, 15, 24),
    ),
    "max_pool": (lambda x: layers.max_pool(x, 3, 2, ((0, 1), (0, 1))), (14, 14, 24)),
    "max_pool of the same size": (
        lambda x: layers.max_pool(x, 3, 1, ((1, 1), (1, 1))),
        (9, 14, 24),
    ),
    "local_response_norm": (lambda x: layers.local_response_norm(10 * x), (6, 6, 32)),
    "relu": (layers.relu, (6, 6, 32)),
    "relu redirected": (lambda x: layers.relu(x - 3, True), (2, 2, 32)),
    "relu6 redirected": (lambda x: relu6(4 * x, True), (2, 2, 32)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_the_same_on_the_processor(name: str) -> None:
    operation, shape = OPERATIONS[name]
    x = np.asarray(normal(0, 2, *shape))
    seed = np.asarray(normal(2, *jax.eval_shape(operation, x).shape))

    def both(x: Any) -> Any:
        y, back = jax.vjp(jax.vmap(operation), x)
        return y, back(seed)[0]

    with jax.default_matmul_precision("highest"):
        found = jax.jit(both)(x)
        with jax.default_device(jax.devices("cpu")[0]):
            expected = jax.jit(both)(x)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max())


@pytest.mark.parametrize("tokens", [64, 197])
@pytest.mark.parametrize("causal", [False, True])
def test_fused_attention_is_the_same_as_products_and_a_softmax(tokens: int, causal: bool) -> None:
    pytest.importorskip("torch")
    from fvjax.models.torch.operators.products import fused_attention

    arrays = [normal(i, 2, 3, tokens, 64).astype(jnp.bfloat16) for i in range(4)]

    def both(implementation: Any) -> Any:
        def attend(q: Any, k: Any, v: Any) -> Any:
            return fused_attention(q, k, v, causal, 0.125, implementation)

        y, back = jax.vjp(jax.vmap(attend), *arrays[:3])
        return y, *back(arrays[3])

    for ours, theirs in zip(both("cudnn"), both("xla"), strict=True):
        found, expected = np.asarray(ours, np.float32), np.asarray(theirs, np.float32)
        np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


@pytest.fixture(scope="module")
def model() -> fvjax.Model:
    return fvjax.load("texturenet")


def jobs_of(model: fvjax.Model, channels: list[int], steps: int = 32) -> fvjax.Job:
    jobs = [fvjax.job(model, layer="conv4", channel=c, steps=steps, seed=c) for c in channels]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *jobs)


def test_a_visualization_begins_as_on_the_processor(model: fvjax.Model) -> None:
    jobs = jobs_of(model, [0, 1, 2], steps=8)
    run: Any = jax.jit(run_jobs)
    found = run(model, jobs).history["score"]
    processor = jax.devices("cpu")[0]
    expected = run(*jax.device_put((model, jobs), processor)).history["score"]
    np.testing.assert_allclose(found[:, :4], expected[:, :4], rtol=1e-3, atol=1e-3)


def test_a_job_is_bit_equal_whatever_the_other_jobs(model: fvjax.Model) -> None:
    """Only on demand: the warp's gradient adds its terms in no fixed order, which is faster."""
    run: Any = jax.jit(run_jobs, compiler_options={"xla_gpu_deterministic_ops": True})
    first = run(model, jobs_of(model, [3, 1, 2, 4])).image[0]
    second = run(model, jobs_of(model, [3, 9, 8, 7])).image[0]
    again = run(model, jobs_of(model, [3, 1, 2, 4])).image[0]
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_lower_precision_reaches_nearly_the_same_score(model: fvjax.Model, precision: str) -> None:
    jobs = jobs_of(model, [0, 1, 2, 3], steps=64)
    run: Any = jax.jit(run_jobs)
    full, low = (run(model.in_precision(p), jobs) for p in ("float32", precision))
    assert bool(jnp.all(low.finite))
    assert float(low.final_score.mean()) > 0.9 * float(full.final_score.mean())


def test_a_sweep_that_runs_out_of_memory_halves_its_batches(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sweeps", "-m", f"hydra.sweep.dir={tmp_path}/sweep"]
    command += ["layer=conv4", "seed=range(0,256)", "steps=2", "image_size=256"]
    command += ["hydra.launcher.batch_size=256", "reference_images=null"]
    memory = {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.02", "JAX_DISABLE_MOST_OPTIMIZATIONS": "0"}
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | memory, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    table = sweeps.load(tmp_path / "sweep")
    assert len(table) == 256 and (table["status"] == "ok").all()
    assert table["batch_size"].max() < 256


def test_jobs_of_a_device_are_many_by_default(tmp_path: Path, model: fvjax.Model) -> None:
    table = sweeps.run(["layer=conv4", "seed=range(0,160)", "steps=2"], model=model)
    assert len(table) == 160 and set(table["batch_size"]) == {80}
    assert table["device"].str.contains("cpu").sum() == 0


def test_replacing_a_leaf_does_not_compile_again(model: fvjax.Model) -> None:
    run: Any = jax.jit(run_jobs)
    jobs = jobs_of(model, [0, 1], steps=4)
    run(model, jobs)
    compiled = run._cache_size()  # of every test that runs this function
    faster = replace(jobs, recipe=replace(jobs.recipe, learning_rate=jobs.recipe.learning_rate * 2))
    run(model, faster)
    assert run._cache_size() == compiled
