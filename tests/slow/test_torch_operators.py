"""Each of ATen's operators in JAX against PyTorch: values and gradients, in float64."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fvjax.models.torch.operators import (  # noqa: E402
    OPERATORS,
    activations,
    elementwise,
)
from fvjax.models.torch.operators.products import fused_attention  # noqa: E402

_MEMORY = ("layout", "device", "pin_memory", "non_blocking", "memory_format")
_DRAW = np.random.default_rng(0)


def x(*shape: int) -> Any:
    """Numbers of both signs, none near 0."""
    signs = _DRAW.choice([-1.0, 1.0], shape)
    return signs * _DRAW.uniform(0.2, 2.5, shape)


def above(*shape: int) -> Any:
    """Positive numbers."""
    return _DRAW.uniform(0.3, 2.0, shape)


def yes(*shape: int) -> Any:
    return _DRAW.random(shape) < 0.6


def whole(high: int, *shape: int) -> Any:
    return _DRAW.integers(0, high, shape)


class Fixed(np.ndarray):
    """An array by which PyTorch does not differentiate."""


def fixed(array: Any) -> Any:
    return array.view(Fixed)


A, B = (1, 4, 6, 5), (1, 4, 1, 5)
INF = float("inf")
_POSITIVE = ("log", "log2", "log1p", "sqrt", "rsqrt", "reciprocal")
_LOGICAL: tuple[str, ...] = (
    "logical_not",
    "bitwise_not",
    "logical_and",
    "logical_or",
    "logical_xor",
)
_LOGICAL += ("bitwise_and", "bitwise_or")

CASES: list[tuple[Any, ...]] = [
    *[
        (f"{name}.default", yes(*A) if name in _LOGICAL else above(*A))
        if name in (*_POSITIVE, *_LOGICAL)
        else (f"{name}.default", x(*A))
        for name in (*elementwise.UNARY, *activations.UNARY)
    ],
    *[(f"{n}.Tensor", yes(*A), yes(*B)) for n in elementwise.BINARY if n.startswith("bitwise")],
    *[(f"{n}.default", yes(*A), yes(*B)) for n in elementwise.BINARY if n.startswith("logical")],
    *[(f"{n}.Tensor", x(*A), x(*B)) for n in ("eq", "ne", "gt", "ge", "lt", "le", "mul")],
    *[(f"{n}.Scalar", x(*A), 0.5) for n in ("eq", "ne", "gt", "ge", "lt", "le", "mul")],
    *[(f"{n}.default", x(*A), x(*B)) for n in ("maximum", "minimum", "atan2")],
    *[(f"{n}.Tensor", x(*A), above(*B)) for n in ("fmod", "remainder")],
    *[(f"{n}.Scalar", x(*A), 0.7) for n in ("fmod", "remainder")],
    ("floor_divide.default", fixed(x(*A)), fixed(above(*B))),
    ("floor_divide.Scalar", fixed(x(*A)), 0.7),
    *[(f"{n}.Scalar", whole(9, *A), 5) for n in ("bitwise_and", "bitwise_or")],
    *[(f"{n}.default", x(*A)) for n in ("clone", "alias", "detach", "contiguous")],
    ("dropout.default", x(*A), 0.5, False),
    ("feature_dropout.default", x(*A), 0.5, False),
    ("lift_fresh_copy.default", x(*A)),
    ("max.other", x(*A), x(*B)),
    ("min.other", x(*A), x(*B)),
    ("gelu.default", x(*A)),
    ("softplus.default", 20 * x(*A), 2.0, 20),
    ("elu.default", x(*A), 0.7, 1.1, 0.9),
    ("celu.default", x(*A), 0.7),
    ("selu.default", x(*A)),
    ("prelu.default", x(*A), x(4)),
    ("_prelu_kernel.default", x(*A), x(1, 4, 1, 1)),
    ("leaky_relu.default", x(*A), 0.2),
    ("rrelu.default", x(*A), 0.1, 0.3, False),
    ("hardshrink.default", x(*A), 0.7),
    ("softshrink.default", x(*A), 0.7),
    ("threshold.default", x(*A), 0.3, -1.5),
    ("clamp.default", x(*A), -0.5, None),
    ("clamp.default", x(*A), None, 1.0),
    ("clamp.Tensor", x(*A), x(*B) - 3, x(*B) + 3),
    ("clamp_min.default", x(*A), 0.1),
    ("clamp_min.Tensor", x(*A), x(*B)),
    ("clamp_max.default", x(*A), 0.1),
    ("clamp_max.Tensor", x(*A), x(*B)),
    ("add.Tensor", x(*A), x(*B), 2),
    ("add.Scalar", x(*A), 0.5, 2),
    ("sub.Tensor", x(*A), x(5), 2),
    ("sub.Scalar", x(*A), 0.5, 2),
    ("rsub.Tensor", x(*A), x(*B), 2),
    ("rsub.Scalar", x(*A), 0.5),
    ("div.Tensor", x(*A), x(*B)),
    ("div.Scalar", x(*A), 0.3),
    ("div.Tensor_mode", x(*A), x(*B), "trunc"),
    ("div.Tensor_mode", whole(9, *A), 4, "floor"),
    ("div.Scalar_mode", x(*A), 0.3, None),
    ("pow.Tensor_Scalar", x(*A), 2),
    ("pow.Tensor_Scalar", x(*A), 3.0),
    ("pow.Tensor_Scalar", above(*A), -0.5),
    ("pow.Tensor_Tensor", above(*A), x(*B)),
    ("pow.Scalar", 1.7, x(*A)),
    ("where.self", yes(*A), x(*A), x(*B)),
    ("where.ScalarOther", yes(*A), x(*A), 0.0),
    ("where.ScalarSelf", yes(*A), 0.0, x(*A)),
    ("where.Scalar", yes(*A), 1.0, 0.0),
    ("masked_fill.Scalar", x(*A), yes(*B), -2.0),
    ("masked_fill.Tensor", x(*A), yes(*B), np.array(-2.0)),
    ("type_as.default", whole(3, *A), x(2)),
    ("_to_copy.default", yes(*A)),
    ("addcmul.default", x(*A), x(*B), x(*A)),
    ("addcdiv.default", x(*A), x(*B), above(*A)),
    ("lerp.Scalar", x(*A), x(*A), 0.3),
    ("lerp.Tensor", x(*A), x(*A), above(*A)),
    # shapes
    ("view.default", x(*A), [1, 2, 2, 30]),
    ("reshape.default", x(*A), [4, -1]),
    ("_unsafe_view.default", x(*A), [4, 30]),
    ("_reshape_copy.default", x(*A), [4, 30]),
    ("view_copy.default", x(*A), [4, 30]),
    ("view_as.default", x(*A), x(4, 30)),
    ("reshape_as.default", x(*A), x(4, 30)),
    ("expand_as.default", x(*B), x(*A)),
    ("flatten.using_ints", x(*A), 1, -2),
    ("unflatten.int", x(*A), 1, [2, -1]),
    ("permute.default", x(*A), [0, -1, 1, 2]),
    ("transpose.int", x(*A), 1, -1),
    ("swapaxes.default", x(*A), 1, -1),
    ("t.default", x(3, 4)),
    ("numpy_T.default", x(3, 4)),
    ("mT.default", x(*A)),
    ("adjoint.default", x(*A)),
    ("movedim.int", x(*A), 1, -1),
    ("movedim.intlist", x(*A), [1, 2], [3, 1]),
    ("unsqueeze.default", x(*A), -2),
    ("squeeze.default", x(*B)),
    ("squeeze.dim", x(*B), 2),
    ("squeeze.dim", x(*B), 1),
    ("squeeze.dims", x(*B), [0, 2]),
    ("expand.default", x(*B), [2, 1, -1, 6, -1]),
    ("repeat.default", x(3, 4), [2, 1, 3]),
    ("tile.default", x(3, 4), [2]),
    ("repeat_interleave.self_int", x(*A), 3, 1),
    ("cat.default", [x(*A), x(1, 2, 6, 5)], 1),
    ("concat.default", [x(*A), x(1, 2, 6, 5)], 1),
    ("stack.default", [x(*A), x(*A)], -1),
    ("slice.Tensor", x(*A), 2, 1, -1, 2),
    ("slice.Tensor", x(*A), -1, -3, 2**63 - 1),
    ("select.int", x(*A), 2, -2),
    ("narrow.default", x(*A), 2, 1, 3),
    ("split.Tensor", x(*A), 4, 2),
    ("split.sizes", x(*A), [1, 5], 2),
    ("split_with_sizes.default", x(*A), [1, 5], -2),
    ("chunk.default", x(*A), 4, 3),
    ("unbind.int", x(*A), -1),
    ("flip.default", x(*A), [1, -1]),
    ("roll.default", x(*A), [2, -1], [2, 3]),
    ("roll.default", x(*A), [7]),
    ("index.Tensor", x(*A), [None, whole(4, 3), None, whole(5, 3)]),
    ("index_select.default", x(*A), 1, whole(4, 7)),
    ("gather.default", x(*A), 3, whole(5, 1, 2, 3, 4)),
    ("embedding.default", x(7, 3), whole(7, 2, 4)),
    ("constant_pad_nd.default", x(*A), [1, -1, 2, 0], 0.5),
    ("pad.default", x(*A), [1, 2, 0, 1], "constant", 1.5),
    *[("pad.default", x(*A), [1, 2, 0, 1], mode) for mode in ("reflect", "replicate", "circular")],
    *[
        (f"{mode}_pad{n}d.default", x(2, 3, *range(4, 4 + n)), [1, 2, 0, 1, 2, 1][: 2 * n])
        for mode in ("reflection", "replication")
        for n in (1, 2, 3)
    ],
    ("pixel_shuffle.default", x(2, 12, 3, 4), 2),
    ("pixel_unshuffle.default", x(2, 3, 4, 6), 2),
    ("channel_shuffle.default", x(1, 6, 3, 4), 3),
    ("full_like.default", x(*A), 1.5),
    ("zeros_like.default", x(*A)),
    ("ones_like.default", x(*A)),
    # writes
    ("copy.default", fixed(x(*A)), fixed(x(*B))),
    ("fill.Scalar", x(*A), 2.5),
    ("fill.Tensor", x(*A), np.array(2.5)),
    ("zero.default", x(*A)),
    ("select_scatter.default", x(*A), x(1, 4, 5), 2, -2),
    ("slice_scatter.default", x(*A), x(1, 4, 2, 5), 2, 1, 5, 2),
    ("index_put.default", x(*A), [None, np.array([0, 2])], x(1, 2, 6, 5)),
    ("index_put.default", x(*A), [None, np.array([1, 1])], x(1, 2, 6, 5), True),
    ("cumsum.default", x(*A), -1),
    # reductions and normalisations
    *[(f"{n}.dim", x(*A), [1, -1], True) for n in ("mean", "var", "std")],
    *[(f"{n}.default", x(*A)) for n in ("mean", "sum", "max", "min")],
    *[(f"{n}.default", x(*A), [2, -1]) for n in ("amax", "amin", "logsumexp")],
    ("var.dim", x(*A), [1], False),
    ("sum.dim_IntList", x(*A), [1], True),
    ("prod.dim_int", x(*A), 1),
    *[(f"{n}.dim", x(*A), 1, True) for n in ("max", "min")],
    ("argmax.default", x(*A), 1),
    *[(f"{n}.correction", x(*A), [1, 2]) for n in ("var", "std", "var_mean")],
    *[("linalg_vector_norm.default", x(*A), p, [1, -1], True) for p in (1, 2, 3, INF, -INF)],
    ("norm.ScalarOpt_dim", x(*A), 2, [1]),
    *[(f"{n}.int", x(*A), -1) for n in ("softmax", "log_softmax")],
    *[(f"{n}.default", x(*A), 1, False) for n in ("_softmax", "_log_softmax")],
    ("_safe_softmax.default", x(*A), 1),
    ("layer_norm.default", x(*A), [6, 5], x(6, 5), x(6, 5)),
    ("native_layer_norm.default", x(*A), [5], x(5), None, 1e-3),
    ("rms_norm.default", x(*A), [5], x(5), 1e-3),
    ("group_norm.default", x(*A), 2, x(4), x(4)),
    ("native_group_norm.default", x(*A), x(4), x(4), 1, 4, 30, 2, 1e-5),
    ("instance_norm.default", x(*A), x(4), x(4), None, None, True, 0.1, 1e-5, False),
    (
        "instance_norm.default",
        x(*A),
        None,
        None,
        fixed(x(4)),
        fixed(above(4)),
        False,
        0.1,
        1e-5,
        False,
    ),
    ("batch_norm.default", x(*A), x(4), x(4), None, None, True, 0.1, 1e-5, False),
    # products
    ("linear.default", x(1, 6, 5), x(3, 5), x(3)),
    ("matmul.default", x(2, 3, 4), x(4, 5)),
    ("mm.default", x(3, 4), x(4, 5)),
    ("bmm.default", x(2, 3, 4), x(2, 4, 5)),
    ("mv.default", x(3, 4), x(4)),
    ("dot.default", x(4), x(4)),
    ("addmm.default", x(5), x(3, 4), x(4, 5)),
    ("baddbmm.default", x(2, 3, 5), x(2, 3, 4), x(2, 4, 5)),
    ("bilinear.default", x(2, 3), x(2, 4), x(5, 3, 4), x(5)),
    ("einsum.default", "bhqd,bkd->bqkh", [x(2, 3, 4, 5), x(2, 6, 5)]),
    ("outer.default", x(3), x(4)),
    *[
        ("scaled_dot_product_attention.default", x(1, 2, 5, 4), x(1, 2, 6, 4), x(1, 2, 6, 3), *rest)
        for rest in ((), (x(1, 1, 5, 6),), (np.eye(5, 6) + np.eye(5, 6, 1) > 0,), (None, 0.0, True))
    ],
    # convolutions
    ("conv1d.default", x(2, 4, 9), x(6, 2, 3), x(6), [2], [1], [2], 2),
    ("conv1d.padding", x(1, 4, 9), x(6, 4, 4), None, [1], "same"),
    ("conv2d.default", x(1, 4, 9, 8), x(6, 4, 3, 3), x(6), [1, 1], [1, 1]),
    ("conv2d.default", x(1, 4, 9, 8), x(6, 4, 3, 3), x(6), [2, 2], [0, 1]),
    ("conv2d.default", x(1, 4, 9, 8), x(6, 4, 1, 1), x(6), [2, 2]),
    ("conv2d.default", x(1, 4, 9, 8), x(6, 4, 2, 2), x(6), [3, 3]),
    ("conv2d.default", x(1, 4, 9, 8), x(6, 4, 3, 2), x(6), [2, 1], [1, 1]),
    ("conv2d.default", x(1, 4, 9, 8), x(6, 2, 3, 3), None, [1, 1], [2, 2], [2, 2], 2),
    ("conv2d.default", x(1, 4, 9, 8), x(4, 1, 3, 3), x(4), [1, 1], [1, 1], [1, 1], 4),
    ("conv2d.default", x(1, 4, 9, 8), x(4, 1, 5, 3), x(4), [2, 2], [2, 1], [1, 1], 4),
    ("conv2d.padding", x(1, 4, 9, 8), x(6, 4, 4, 3), None, [1, 1], "same"),
    ("conv2d.padding", x(1, 4, 9, 8), x(6, 4, 4, 3), None, [1, 1], "valid"),
    ("conv3d.default", x(1, 2, 5, 6, 4), x(3, 2, 2, 3, 1), x(3), [1, 2, 1], [0, 1, 0]),
    ("conv3d.padding", x(1, 2, 5, 6, 4), x(3, 2, 3, 3, 2), None, [1, 1, 1], "same"),
    ("conv_transpose1d.default", x(1, 4, 7), x(4, 3, 3), x(6), [2], [1], [1], 2, [1]),
    ("conv_transpose2d.input", x(1, 4, 5, 6), x(4, 3, 2, 2), x(3), [2, 2]),
    ("conv_transpose2d.input", x(1, 4, 5, 6), x(4, 3, 3, 3), x(3), [1, 1], [1, 1]),
    (
        "conv_transpose2d.input",
        x(1, 4, 5, 6),
        x(4, 3, 4, 3),
        None,
        [2, 3],
        [1, 0],
        [1, 2],
        2,
        [2, 1],
    ),
    ("conv_transpose3d.input", x(1, 2, 3, 4, 3), x(2, 3, 2, 2, 2), x(3), [2, 2, 2]),
    *[
        ("convolution.default", x(1, 4, 7, 6), x(4, 2, 3, 3), x(4), [2, 2], [1, 1], [1, 1], *rest)
        for rest in ((True, [1, 1], 2), (False, [0, 0], 2))
    ],
    # pooling
    *[
        (f"{name}.default", x(1, 3, *range(7, 7 + n)), *rest)
        for n in (1, 2, 3)
        for name, *rest in (
            (f"max_pool{n}d", [3] * n, [2] * n, [1] * n),
            (f"max_pool{n}d", [2] * n, [2] * n, [0] * n, [2] * n, True),
            (f"avg_pool{n}d", [3] * n, [2] * n, [1] * n),
            (f"avg_pool{n}d", [3] * n, [2] * n, [1] * n, True, False),
            (f"avg_pool{n}d", [3] * n, [2] * n, [1] * n, True, True),
            (f"adaptive_avg_pool{n}d", [3] * n),
            (f"adaptive_avg_pool{n}d", [1] * n),
            (f"adaptive_max_pool{n}d", [3] * n),
        )
    ],
    ("avg_pool2d.default", x(1, 3, 8, 6), [2, 3], [], [0, 0], False, True, 5),
    ("_adaptive_avg_pool2d.default", x(1, 3, 8, 6), [4, 3]),
    ("_adaptive_avg_pool3d.default", x(1, 3, 8, 6, 5), [4, 3, 2]),
    *[(f"max_pool{n}d_with_indices.default", x(1, 3, *[8] * n), [2] * n) for n in (2, 3)],
    # interpolation
    *[
        (f"upsample_{name}.default", x(1, 2, *range(5, 5 + n)), [size] * n, *rest)
        for name, n, options in (
            ("nearest1d", 1, [()]),
            ("nearest2d", 2, [()]),
            ("nearest3d", 3, [()]),
            ("linear1d", 1, [(False,), (True,)]),
            ("bilinear2d", 2, [(False,), (True,)]),
            ("trilinear3d", 3, [(False,), (True,)]),
            ("bicubic2d", 2, [(False,), (True,)]),
        )
        for rest in options
        for size in (3, 9)
    ],
    *[
        (f"upsample_{name}.vec", x(1, 2, *range(5, 5 + n)), None, *rest, [1.7] * n)
        for name, n, rest in (
            ("nearest1d", 1, []),
            ("nearest2d", 2, []),
            ("nearest3d", 3, []),
            ("linear1d", 1, [False]),
            ("bilinear2d", 2, [False]),
            ("trilinear3d", 3, [True]),
            ("bicubic2d", 2, [False]),
        )
    ],
    *[(f"_upsample_nearest_exact{n}d.default", x(1, 2, *[5] * n), [8] * n) for n in (1, 2, 3)],
    *[(f"_upsample_nearest_exact{n}d.vec", x(1, 2, *[5] * n), None, [1.5] * n) for n in (1, 2, 3)],
    *[
        (f"_upsample_{name}_aa.default", x(1, 2, 9, 8), [size, size], corners)
        for name in ("bilinear2d", "bicubic2d")
        for size, corners in ((4, False), (11, False), (4, True))
    ],
    *[
        (f"_upsample_{name}_aa.vec", x(1, 2, 9, 8), [4, 5], False, None)
        for name in ("bilinear2d", "bicubic2d")
    ],
]
# Checked by what calls them alone: `split.default` by whole networks, casts by tests of bfloat16.
ELSEWHERE = {"split.default", "to.dtype", "to.dtype_layout", "to.device"}
# The places of maxima are left out, and in one dimension PyTorch has no operator without them.
ELSEWHERE |= {"max_pool1d_with_indices.default"}


@pytest.fixture(autouse=True)
def _digits() -> Any:
    with jax.enable_x64(True):
        yield


def _whole(operator: Any, given: Sequence[Any]) -> list[Any]:
    """All arguments of the schema, less those about memory: what a step holds."""
    arguments = list(given)
    for i, argument in enumerate(operator._schema.arguments):
        if i >= len(arguments):
            arguments.append(argument.default_value)
    names = [argument.name for argument in operator._schema.arguments]
    kept = [a for name, a in zip(names, arguments, strict=True) if name not in _MEMORY]
    return kept


def _call(operator: Any, given: Sequence[Any]) -> Any:
    """Arguments behind the schema's star by name."""
    described = list(zip(operator._schema.arguments, given, strict=False))
    plain = [value for argument, value in described if not argument.kwarg_only]
    named = {argument.name: value for argument, value in described if argument.kwarg_only}
    return operator(*plain, **named)


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """The arrays of nested lists changed."""
    if isinstance(value, (list, tuple)):
        return type(value)(_each(v, change) for v in value)
    return change(value) if isinstance(value, np.ndarray) else value


def _arrays(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return [a for v in value for a in _arrays(v)]
    return [] if value is None else [value]


def test_every_operator_has_a_case() -> None:
    missing = []
    for name in OPERATORS:
        base, overload = name.split(".")
        exists = not name.startswith("fvjax") and overload in _overloads(base)
        exists = exists and _takes_a_tensor(base, overload)
        if exists and name not in ELSEWHERE and name not in [case[0] for case in CASES]:
            missing.append(name)
    assert not missing


def _overloads(base: str) -> list[str]:
    packet = getattr(torch.ops.aten, base, None)
    return [] if packet is None else list(packet.overloads())


def _takes_a_tensor(base: str, overload: str) -> bool:
    schema = getattr(getattr(torch.ops.aten, base), overload)._schema
    return any("Tensor" in str(argument.type) for argument in schema.arguments)


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_an_operator_is_pytorchs(case: tuple[Any, ...]) -> None:
    name, *given = case
    base, overload = name.split(".")
    operator = getattr(getattr(torch.ops.aten, base), overload)
    tensors: list[Any] = []

    def tensor(array: Any) -> Any:
        made = torch.tensor(array)
        if made.is_floating_point() and not isinstance(array, Fixed):
            made.requires_grad_(True)
            tensors.append(made)
        return made

    theirs = _arrays(_call(operator, _each(given, tensor)))
    place = iter(range(len(tensors)))
    floats = [t.detach().numpy() for t in tensors]

    def ours(parts: list[Any]) -> list[Any]:
        def put(array: Any) -> Any:
            moves = np.issubdtype(array.dtype, np.floating) and not isinstance(array, Fixed)
            return parts[next(place)] if moves else jnp.asarray(array)

        nonlocal place
        place = iter(range(len(tensors)))
        arguments = _whole(operator, _each(given, put))
        arguments = [tuple(a) if isinstance(a, list) else a for a in arguments]
        with jax.numpy_rank_promotion("allow"):
            return _arrays(OPERATORS[name](*arguments))

    found = ours([jnp.asarray(f) for f in floats])
    weights = []
    for mine, other in zip(found, theirs, strict=False):
        expected = other.detach().numpy()
        assert mine.shape == expected.shape
        np.testing.assert_allclose(np.asarray(mine), expected, rtol=1e-9, atol=1e-9)
        weights.append(np.random.default_rng(1).standard_normal(expected.shape))
    smooth = [i for i, t in enumerate(theirs[: len(found)]) if t.requires_grad]
    if not smooth:
        return
    sum((theirs[i] * torch.tensor(weights[i])).sum() for i in smooth).backward()

    def total(parts: list[Any]) -> Any:
        out = ours(parts)
        return sum((out[i] * weights[i]).sum() for i in smooth)

    for mine, other in zip(jax.grad(total)([jnp.asarray(f) for f in floats]), tensors, strict=True):
        if other.grad is not None and not (name.startswith("conv") and other is not tensors[0]):
            np.testing.assert_allclose(np.asarray(mine), other.grad.numpy(), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("tokens", [6, 7])
@pytest.mark.parametrize("causal", [False, True])
def test_a_padded_token_changes_no_attention(tokens: int, causal: bool) -> None:
    """cuDNN's kernel takes even numbers of tokens; its form in JAX is the same function."""
    query, key, value = (jnp.asarray(x(2, 3, tokens, 8)) for _ in range(3))
    products = OPERATORS["scaled_dot_product_attention.default"]
    expected = products(query, key, value, causal=causal, scale=0.3)
    found = fused_attention(query, key, value, causal, 0.3, "xla")
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
