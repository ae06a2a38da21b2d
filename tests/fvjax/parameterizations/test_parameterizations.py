"""Parameterizations start where Lucid's do and stay in [0, 1]."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import PARAMETERIZATIONS
from jax import Array

import fvjax
from fvjax.data import gratings
from fvjax.parameterizations.parameterization import COLOUR, to_rgb

CASES = pytest.mark.parametrize("name", list(PARAMETERIZATIONS))


def scaled(scale: float, params: Any) -> Any:
    return jax.tree.map(lambda p: scale * p, params)


@CASES
def test_images_have_the_right_shape_and_values_from_zero_to_one(name: str, key: Array) -> None:
    parameterization = PARAMETERIZATIONS[name]
    params = parameterization.init(key)
    decode = jax.jit(lambda p: parameterization.decode(p))
    for scale in (1.0, 1e4):
        image = decode(scaled(scale, params))
        assert image.shape == (*parameterization.image_size, 4 if name == "transparent" else 3)
        assert image.dtype == jnp.float32
        assert jnp.all((image >= 0) & (image <= 1))
    assert float(decode(scaled(100, params)).std()) > 0.05


@CASES
def test_keys_decide_the_image(name: str, key: Array) -> None:
    parameterization = PARAMETERIZATIONS[name]
    make = jax.jit(lambda k: parameterization.decode(parameterization.init(k)))
    one, other = make(key), make(jax.random.key(1))
    np.testing.assert_array_equal(one, make(jax.random.key(0)))
    assert jnp.any(one != other)
    rounding = 1e-6 if name in ("generator", "gratings") else 0.0  # fused otherwise under vmap
    beside = jax.vmap(make)(jnp.stack([key, key]))[1]
    np.testing.assert_allclose(beside, one, rtol=0, atol=rounding)


@CASES
def test_every_parameter_reaches_the_image(name: str, key: Array) -> None:
    parameterization = PARAMETERIZATIONS[name]
    params = parameterization.init(key)
    weights = jax.random.normal(key, parameterization.decode(params).shape)
    slope = jax.grad(lambda p: jnp.sum(weights * parameterization.decode(p)))(params)
    slopes = jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(slope)])
    assert jnp.all(jnp.isfinite(slopes))
    # A real image has fewer free coefficients than its half spectrum has numbers.
    assert float(jnp.mean(slopes != 0)) > 0.9


@CASES
def test_gradients_match_central_differences(name: str, key: Array) -> None:
    parameterization = PARAMETERIZATIONS[name]
    params = parameterization.init(key)
    if name == "generator":  # edges pass over pixels when properties change: differences are rough
        properties, params = params.pop("properties"), params
        parameterization = SimpleNamespace(
            decode=lambda p: PARAMETERIZATIONS[name].decode(p | {"properties": properties})
        )
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    way = jax.tree.unflatten(
        structure, [jax.random.normal(k, p.shape) for k, p in zip(keys, leaves, strict=True)]
    )
    weights = jax.random.normal(jax.random.key(1), parameterization.decode(params).shape)

    @jax.jit
    def along(t: Array | float) -> Array:
        image = parameterization.decode(jax.tree.map(lambda p, w: p + t * w, params, way))
        return jnp.sum(weights * image)

    step = 0.01
    expected = (along(step) - along(-step)) / (2 * step)
    assert float(jax.grad(along)(0.0)) == pytest.approx(float(expected), rel=0.02)


def raw_deviation(size: int) -> float:
    """Standard deviation of the image before colour and sigmoid."""
    fourier = fvjax.Fourier(image_size=size, stddev=0.01, decay_power=1.0, decorrelate=False)
    keys = jax.random.split(jax.random.key(3), 16 if size < 500 else 8)

    def raw(key: Array) -> Array:
        image = fourier.decode(fourier.init(key))
        return jnp.std(jnp.log(image) - jnp.log1p(-image)) ** 2

    return float(jnp.sqrt(jnp.mean(jax.lax.map(raw, keys))))


def lucid_s_deviation(size: int) -> float:
    """Root mean square of Lucid's raw initial image: every coefficient of irfft2 is independent."""
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    scale = size / np.maximum(np.hypot(fy, fx), 1 / size)
    twice = np.where((fx > 0) & (fx < 0.5), 4.0, 1.0)  # those that stand for their conjugate too
    return float(0.01 / 4 * np.sqrt(np.sum(twice * scale**2)) / size**2)


@pytest.mark.parametrize(
    ("size", "drawn"), [(64, 0.0165), (128, 0.0186), (224, 0.0201), (512, 0.0217)]
)
def test_fourier_starts_with_lucid_s_standard_deviation(size: int, drawn: float) -> None:
    # Few low frequencies carry much of the variance: 16 images know it to about 1 %, and the one
    # that was `drawn` with Lucid's code to about 5 %.
    expected = lucid_s_deviation(size)
    assert raw_deviation(size) == pytest.approx(expected, rel=0.03)
    assert drawn == pytest.approx(expected, rel=0.05)


def lucid_s_fft_image(params: np.ndarray, size: int, decay: float) -> np.ndarray:
    """lucid.optvis.param.spatial.fft_image from its coefficients, even sizes, before colour."""
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[: size // 2 + 1]
    scale = 1.0 / np.maximum(np.sqrt(fx * fx + fy * fy), 1.0 / size) ** decay
    scale *= np.sqrt(size * size)
    spectrum = (params[0] + 1j * params[1]) * scale
    image = np.fft.irfft2(spectrum, s=(size, size))
    return np.transpose(image, (1, 2, 0)) / 4.0


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0, 1.5])
def test_fourier_decodes_as_lucid_does(decay: float, key: Array) -> None:
    fourier = fvjax.Fourier(image_size=16, stddev=0.3, decay_power=decay, decorrelate=False)
    params = fourier.init(key)
    raw = lucid_s_fft_image(np.asarray(params, np.float64), 16, decay)
    np.testing.assert_allclose(fourier.decode(params), 1 / (1 + np.exp(-raw)), atol=1e-5)


def test_decay_and_deviation_are_leaves_of_one_program(key: Array) -> None:
    traces = []

    @jax.jit
    def make(fourier: Any) -> Array:
        traces.append(1)
        return fourier.decode(fourier.init(key))

    def fourier(decay: float, deviation: float) -> Any:
        return fvjax.Fourier(image_size=16, stddev=deviation, decay_power=decay, decorrelate=True)

    images = [make(fourier(d, s)) for d, s in ((0.0, 0.1), (1.0, 0.1), (1.0, 0.2))]
    assert len(traces) == 1
    assert jnp.any(images[0] != images[1]) and jnp.any(images[1] != images[2])


def test_colour_matrix_is_lucid_s() -> None:
    # lucid/optvis/param/color.py, written as there.
    color_correlation_svd_sqrt = np.asarray(
        [[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]]
    ).astype("float32")
    max_norm_svd_sqrt = np.max(np.linalg.norm(color_correlation_svd_sqrt, axis=0))
    normalized = color_correlation_svd_sqrt / max_norm_svd_sqrt
    t = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")
    t_flat = np.matmul(t.reshape(-1, 3), normalized.T)
    np.testing.assert_allclose(COLOUR, normalized.T, rtol=1e-6)
    expected = 1 / (1 + np.exp(-t_flat.reshape(t.shape)))
    np.testing.assert_allclose(to_rgb(jnp.asarray(t), True), expected, atol=1e-6)
    np.testing.assert_allclose(to_rgb(jnp.asarray(t), False), 1 / (1 + np.exp(-t)), atol=1e-6)


def test_pixels_start_with_their_standard_deviation(key: Array) -> None:
    params = fvjax.Pixels(image_size=64, stddev=0.3, decorrelate=True).init(key)
    assert float(params.std()) == pytest.approx(0.3, rel=0.03)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"image_size": 0}, "image_size must be an integer of at least 1, got 0"),
        ({"image_size": 1.5}, "image_size must be an integer"),
        ({"stddev": 0.0}, "stddev must be a positive"),
        ({"decay_power": float("nan")}, "decay_power must be a finite"),
        ({"decorrelate": "no"}, "decorrelate must be true or false, got 'no'"),
    ],
)
def test_bad_values_are_refused(bad: dict[str, Any], message: str) -> None:
    good = {"image_size": 32, "stddev": 0.01, "decay_power": 1.0, "decorrelate": True} | bad
    with pytest.raises(ValueError, match=message):
        fvjax.Fourier(**good)
    if "decay_power" not in bad:
        with pytest.raises(ValueError, match=message):
            fvjax.Pixels(**{name: good[name] for name in ("image_size", "stddev", "decorrelate")})


def test_a_single_contrast_of_gratings_is_the_detectors_grating() -> None:
    parameterization = fvjax.Gratings(image_size=40)
    for index in (0, 13, 35):
        params = jnp.zeros((2, 36)).at[0, index].set(np.arctanh(0.2))
        expected = gratings.grating(index, 40, 4, 0.2)
        np.testing.assert_allclose(parameterization.decode(params), expected, atol=0.003)
    turned = parameterization.decode(jnp.zeros((2, 36)).at[1, 5].set(0.1))
    np.testing.assert_allclose(turned, gratings.grating(5, 40, 4, 0.1, phase=-0.25), atol=0.001)
