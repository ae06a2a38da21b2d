"""A model of known ground truth: the detectors of `gabors`, and a linear mixing.

The detectors of the last colour at the last frequency are *decoys*, contrast that belongs to no
feature; all others are the K features. At a position with features f and decoys g, each in [0, 1]:

    features = f
    decoys = g
    previous = (f, depth · g)
    mixed = previous @ mixing + gain · (1 - Π(1 - g)), the gain's term in every channel

`features` and `decoys` are the truth: only an oracle reads their records.
The first K rows of `mixing` are the features' vectors, of unit length, in K channels; the others
say how decoys leak. `mixed` is linear, without ReLU: a feature adds its vector, whatever the signs.
Geometry and severity enter through the weights `mixing`, `depth` and `gain` alone, and share a
compiled program.

At severity 0 every geometry is `orthogonal`: a channel for each feature, decoys without effect.

- orthogonal: severity has no effect. The control.
- skewed: any two vectors have the cosine `severity` < 1. Entanglement: to excite one feature is to
  excite all, a little.
- paired: features n and n + K/2, of different colours, have the cosine `severity`; all other pairs
  are orthogonal. Entanglement with a single feature, without a common direction of gain.
- random: a feature's channel plus `severity` times random signs / sqrt(K), at unit length; `world`
  is the seed of the signs.
  Entanglement with some, and its opposite with others.
- superposed: the feature's channel less `severity` <= 1 times its part in a random subspace of K/2
  dimensions (of seed `world`), at unit length. At 1 all K vectors lie in the other K/2 dimensions,
  as if there were half as many channels as features: no linear readout separates them.
- exciting: contrast at any of the decoys adds `severity` to every channel, without passing through
  `previous`. An input that excites everything.
- cheap: the decoys are units of `previous`, of activation 0 ... `severity`. Each leaks a quarter of
  it into one half of the channels and minus a quarter into the other half. Every channel is
  excited by a decoy, and no decoy excites all channels. A feature gives its channel four
  times as much for the same activation.
"""

import math
from collections.abc import Callable, Mapping
from itertools import combinations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.data.gratings import detectors
from fvjax.models import gabors
from fvjax.models.model import Model, Record
from fvjax.types import Image

SIZE = 40  # pixels

_LEAK = 0.25  # of a decoy's activation, into a channel; a feature adds 1 to its channel

Vectors = Float[np.ndarray, "features channels"]


def planted(*, geometry: str, severity: float, orientations: int, world: int = 0) -> Model:
    """Return a model with 8 features and a decoy for each orientation; default layer `mixed`.

    Args:
        geometry: one of `GEOMETRIES`.
        severity: strength of the entanglement, at least 0.
        orientations: number of orientations of the bank, even.
        world: seed of the random signs and of the random subspace; the other geometries draw
            nothing, and have one world.
    """
    checks.choice("geometry", geometry, GEOMETRIES)
    checks.count("world", world, least=0)
    checks.not_negative("severity", severity)
    checks.count("orientations", orientations, least=2)
    if orientations % 2:
        raise ValueError(f"orientations must be an even number, got {orientations}")
    features = detectors(orientations) - orientations
    vectors = _vectors(geometry, features, severity, world)
    weights = {
        "kernels": gabors.kernels(orientations),
        "mixing": np.concatenate([vectors, _leaks(orientations, features)]),
        "depth": severity if geometry == "cheap" else 0.0,
        "gain": severity if geometry == "exciting" else 0.0,
    }
    return Model(
        weights={name: jnp.asarray(weight, jnp.float32) for name, weight in weights.items()},
        network=network,
        image_size=(SIZE, SIZE),
        default_layer="mixed",
    )


def network(weights: Mapping[str, Array], image: Image, record: Record) -> None:
    """Record `features` and `decoys`, which end there, and `previous` and `mixed`."""
    features = weights["mixing"].shape[1]
    f, g = jnp.split(gabors.detect(image, weights["kernels"]), [features], -1)
    record("features", f, main=False)
    record("decoys", g, main=False)
    previous = record("previous", earlier(weights, f, g))
    record("mixed", mixed(weights, g, previous))


def earlier(
    weights: Mapping[str, Array],
    f: Float[Array, "*shape features"],
    g: Float[Array, "*shape decoys"],
) -> Float[Array, "*shape units"]:
    """Return the activations of `previous` from features and decoys."""
    return jnp.concatenate([f, weights["depth"] * g], -1)


def mixed(
    weights: Mapping[str, Array],
    g: Float[Array, "*shape decoys"],
    previous: Float[Array, "*shape units"],
) -> Float[Array, "*shape channels"]:
    """Return the activations of `mixed` from decoys and the previous layer."""
    excited = 1 - jnp.prod(1 - g, -1, keepdims=True)
    return previous @ weights["mixing"] + weights["gain"] * excited


def vectors_of(model: Model, layer: str) -> Float[Array, "features channels"]:
    """Return each feature's vector in a layer: a mixing row, or a unit of an earlier layer.

    Raises:
        ValueError: a model that is not planted; a layer that shows no feature.
    """
    if model.network is not network:
        raise ValueError(
            "only the features of model=planted are known: this model's layers are "
            f"{', '.join(model.layers)}"
        )
    checks.choice("layer", layer, ("features", "previous", "mixed"))
    units, features = model.weights["mixing"].shape
    if layer == "mixed":
        vectors: Array = model.weights["mixing"][:features]
        return vectors
    return jnp.eye(features, features if layer == "features" else units)


def _orthogonal(features: int, severity: float) -> Vectors:
    del severity
    return np.eye(features)


def _skewed(features: int, severity: float, together: int | None = None) -> Vectors:
    """Return unit vectors: cosine `severity` within each set of `together` features, else 0.

    They are a e_k + b (sum of e_j over the set of m), where a² + 2 a b + m b² = 1 is their squared
    length and 2 a b + m b² the severity. Members of a set are as far apart in the bank as can be.
    """
    checks.below("severity", severity, 1)
    m = features if together is None else together
    a = math.sqrt(1 - severity)
    b = (math.sqrt(a**2 + m * severity) - a) / m
    vectors: Vectors = a * np.eye(features) + b * np.kron(np.ones((m, m)), np.eye(features // m))
    return vectors


def _paired(features: int, severity: float) -> Vectors:
    return _skewed(features, severity, together=2)


def _random(features: int, severity: float, world: int) -> Vectors:
    signs = np.random.default_rng(world).choice([-1.0, 1.0], (features, features))
    return _unit(np.eye(features) + severity * signs / np.sqrt(features))


def _superposed(features: int, severity: float, world: int) -> Vectors:
    checks.at_most("severity", severity, 1)
    draws = np.random.default_rng(world).normal(size=(features, features // 2))
    lost, _ = np.linalg.qr(draws)
    return _unit(np.eye(features) - severity * lost @ lost.T)


def _unit(rows: Vectors) -> Vectors:
    scaled: Vectors = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return scaled


def _leaks(decoys: int, channels: int) -> Float[np.ndarray, "decoys channels"]:
    """Return each decoy's leak matrix: channels in turn receive an odd number of decoys.

    After every such set comes its complement, so a decoy's leaks add to 0; and with all sets of 4
    decoys in turn the decoys' leaks are orthogonal, so no two of them cancel each other.
    """
    odd = [set(c) for n in range(1, decoys, 2) for c in combinations(range(decoys), n)]
    turns = [s for subset in odd if 0 in subset for s in (subset, {*range(decoys)} - subset)]
    rows = [[d in turns[c % len(turns)] for c in range(channels)] for d in range(decoys)]
    return _LEAK * np.where(rows, 1.0, -1.0)


def _vectors(geometry: str, features: int, severity: float, world: int) -> Vectors:
    if geometry in _DRAWN:
        return _DRAWN[geometry](features, severity, world)
    return _FIXED.get(geometry, _orthogonal)(features, severity)


_FIXED: Mapping[str, Callable[[int, float], Vectors]] = {"skewed": _skewed, "paired": _paired}
_DRAWN: Mapping[str, Callable[[int, float, int], Vectors]] = {
    "random": _random,
    "superposed": _superposed,
}
GEOMETRIES = ("orthogonal", *_FIXED, *_DRAWN, "exciting", "cheap")
