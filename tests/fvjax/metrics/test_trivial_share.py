"""The share of activity that helps only slightly, of networks whose helpers are known."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fvjax
from fvjax.metrics.trivial_share import trivial_share


def two_layers(readout: Any) -> fvjax.Model:
    """Units are means of the image's four rows; a channel reads them by `readout` and a ReLU."""

    def apply(weights: Any, image: Any, record: Any) -> None:
        units = record("units", image.mean((1, 2)))
        record("channel", jax.nn.relu(units @ weights)[None])

    weights = jnp.asarray(readout, jnp.float32)
    return fvjax.Model.from_function(apply, weights, image_size=4, default_layer="channel")


CHANNEL = fvjax.Direction(vector=jnp.ones(1), layer="channel")
IMAGE = jnp.broadcast_to(jnp.array([0.8, 0.4, 0.2, 0.6])[:, None, None], (4, 4, 3))


@pytest.mark.parametrize(
    ("readout", "expected"),
    [
        ([1, 1.4, 1, 1], 0.2 / 2),
        ([2, 1, 1, 1], 0.2 / 2),
        ([1, 0, 0, 0], 1.2 / 2),
        ([0, 0, 1, 0], 1.8 / 2),
        ([1, -1, 0, 0], 0.8 / 2),  # what inhibits contributes too
        ([10, 0.1, 0.1, 0.1], 1.2 / 2),
    ],
)
def test_activity_outside_the_strong_helpers_is_trivial(readout: Any, expected: float) -> None:
    found = jax.jit(trivial_share)(two_layers(readout), CHANNEL, IMAGE)
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_the_share_does_not_depend_on_scales() -> None:
    model = two_layers([3.0, 0.5, 0.1, 0.2])
    first = trivial_share(model, CHANNEL, IMAGE)
    longer = fvjax.Direction(vector=7 * jnp.ones(1), layer="channel")
    np.testing.assert_allclose(trivial_share(model, longer, 0.5 * IMAGE), first, rtol=1e-5)


def test_where_nothing_contributes_there_is_no_share() -> None:
    assert np.isnan(trivial_share(two_layers([-1, -1, -1, -1]), CHANNEL, IMAGE))


def test_a_first_layer_is_refused() -> None:
    units = fvjax.Direction(vector=jnp.ones(4), layer="units")
    with pytest.raises(ValueError, match="no layer is before 'units'"):
        trivial_share(two_layers([1, 1, 1, 1]), units, IMAGE)
