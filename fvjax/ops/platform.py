"""The platform that a program is traced for.

Operations are chosen by platform when they are lowered (`fvjax.ops.primitive`). Types are part of
the trace, so what depends on the platform by type must know it earlier.
"""

from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp

from fvjax import checks

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
_named = jax.make_user_context(None)  # part of the key of every cache of traces


def for_platform(platform: str) -> AbstractContextManager[None]:
    """Return a context in which programs are traced for this platform instead of JAX's default.

    `jax.export` for another platform needs it if the model's precision is bfloat16.

    Args:
        platform: cpu, cuda, rocm or tpu, as `jax.export` names them.

    Raises:
        ValueError: another name.
    """
    checks.choice("platform", platform, PLATFORMS)
    context: AbstractContextManager[None] = _named(platform)
    return context


def traced_for_cpu() -> bool:
    """Return whether programs are traced for a CPU: the named platform, or JAX's default."""
    return (_named.value or jax.default_backend()) == "cpu"


def activation_type(weights: Any) -> Any:
    """Return the type of activations beside weights of this type: float32 on CPUs for bfloat16.

    Most operations of XLA:CPU are slower on bfloat16 than on float32, and its fast products return
    float32 (docs/development/performance.md).
    """
    narrow = weights == jnp.bfloat16 and traced_for_cpu()
    return jnp.dtype(jnp.float32) if narrow else jnp.dtype(weights)
