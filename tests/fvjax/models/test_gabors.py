"""The detectors respond to their own gratings, saturate by themselves, and have right gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from fvjax.data import gratings
from fvjax.models import gabors

ORIENTATIONS, SIZE = 4, 40
BANK = gabors.kernels(ORIENTATIONS)
DETECTORS = gratings.detectors(ORIENTATIONS)
LABELS = [
    (colour, frequency, orientation)
    for colour in range(len(gratings.COLOURS))
    for frequency in range(len(gratings.FREQUENCIES))
    for orientation in range(ORIENTATIONS)
]


@jax.jit
def detect(image: Array) -> Array:
    return gabors.detect(image, jnp.asarray(BANK))


def shown(index: int, contrast: float = 1.0, phase: float = 0.0) -> np.ndarray:
    return np.asarray(detect(gratings.grating(index, SIZE, ORIENTATIONS, contrast, phase)))


def neighbours(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    """One step apart in orientation or in frequency, and equal otherwise."""
    colour, frequency, turn = (abs(a - b) for a, b in zip(one, other, strict=True))
    return colour == 0 and (frequency, min(turn, ORIENTATIONS - turn)) in ((0, 1), (1, 0))


def test_even_colours_excite_nothing() -> None:
    for colour in ((0.5, 0.5, 0.5), (0.0, 0.0, 0.0), (1.0, 0.3, 0.7)):
        image = jnp.broadcast_to(jnp.array(colour), (SIZE, SIZE, 3))
        assert detect(image).max() < 1e-6


def test_a_full_grating_turns_its_detector_on_and_no_other_but_neighbours() -> None:
    for index, label in enumerate(LABELS):
        looks = np.stack([shown(index, phase=phase) for phase in (0.0, 0.3, 0.6)])
        assert looks[..., index].min() > 0.99  # at every position and phase; the most is 1
        mean = looks.mean((0, 1, 2))
        others = [i for i in range(DETECTORS) if i != index and not neighbours(label, LABELS[i])]
        assert mean[others].max() < 0.06
        near = [i for i in range(DETECTORS) if neighbours(label, LABELS[i])]
        assert mean[near].max() < 0.75
        colours = [i for i in range(DETECTORS) if LABELS[i][0] != label[0]]
        assert mean[colours].max() < 1e-4


def test_a_grating_that_is_just_enough_leaves_the_neighbours_off() -> None:
    for index in range(DETECTORS):
        looks = shown(index, 1.2 * gratings.enough(index, ORIENTATIONS)).mean((0, 1))
        assert looks[index] > 0.99
        assert np.delete(looks, index).max() < 0.1


def test_energy_is_the_contrast_s_square() -> None:
    for index in (0, 5, 10, 17, 35):
        contrast = 0.5 * gratings.enough(index, ORIENTATIONS)
        phases = np.stack([shown(index, contrast, phase) for phase in np.arange(4) / 4])
        expected = 1 - (1 - 0.5**2) ** 2
        np.testing.assert_allclose(phases[..., index].mean(), expected, rtol=0.02)


def test_several_can_be_fully_on_at_once_whatever_the_others_do() -> None:
    several = (5, 10, 18, 21, 29)
    shares = [1.1 * gratings.enough(i, ORIENTATIONS) for i in several]
    assert sum(shares) < 1  # so no pixel is out of range
    waves = [
        gratings.grating(i, SIZE, ORIENTATIONS, share) - 0.5
        for i, share in zip(several, shares, strict=True)
    ]
    seen = np.asarray(detect(0.5 + np.sum(waves, 0))).mean((0, 1))
    assert seen[list(several)].min() > 0.97
    assert np.delete(seen, several).max() < 0.1


def test_responses_are_bounded_and_gradients_match_finite_differences(key: Array) -> None:
    image = jax.random.uniform(key, (21, 21, 3), minval=0.05, maxval=0.95)
    readout = jax.random.normal(key, (2, 2, DETECTORS))

    @jax.jit
    def score(image: Array) -> Array:
        return jnp.sum(gabors.detect(image, jnp.asarray(BANK)) * readout)

    seen = detect(image)
    assert seen.shape == readout.shape
    assert seen.min() >= 0 and seen.max() <= 1
    assert jnp.mean((seen > 0.1) & (seen < 0.9)) > 0.3  # many are on their way
    for seed in range(4):
        step = jax.random.normal(jax.random.key(seed), image.shape)
        slope = jnp.sum(jax.grad(score)(image) * step)
        found = (score(image + 1e-3 * step) - score(image - 1e-3 * step)) / 2e-3
        np.testing.assert_allclose(found, slope, rtol=0.01, atol=0.02)
    wild = detect(jnp.round(jax.random.uniform(key, (21, 21, 3))))
    assert wild.min() >= 0 and wild.max() == 1


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"needs 17 x 17 pixels, got 16 x 40"):
        gabors.detect(jnp.zeros((16, 40, 3)), jnp.asarray(BANK))
    with pytest.raises(ValueError, match=r"index must be an integer from 0 to 35, got 36"):
        gratings.grating(36, SIZE, ORIENTATIONS, 1.0)
