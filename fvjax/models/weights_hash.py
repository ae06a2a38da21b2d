"""A hash of weights: equal for equal numbers, whatever file they came from."""

import hashlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def hash_weights(weights: Any) -> str:
    """Return 16 hexadecimal digits that identify a pytree of arrays by names, types and values.

    A network's code has no part in it. Random keys count by their numbers.
    """
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(weights):
        leaf = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        array = np.ascontiguousarray(jax.random.key_data(leaf) if is_key else leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:16]
