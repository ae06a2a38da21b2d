"""ClassGaussians are a part of a pytree's structure."""

from typing import Any

import jax
import jax.numpy as jnp
from cases import BATCH_PENALTIES, DIRECTION, OBJECTIVES, PARAMETERIZATIONS, TRANSFORMS

import fvjax
from fvjax.pytree import dataclass, static


@dataclass
class One:
    """A leaf and a static field."""

    x: Any
    name: str = static()


@dataclass
class Other:
    """The same fields."""

    x: Any
    name: str = static()


def test_classes_of_equal_fields_have_other_structures() -> None:
    one, other = One(x=1.0, name="a"), Other(x=1.0, name="a")
    assert jax.tree.structure(one) != jax.tree.structure(other)
    assert jax.tree.structure(one) == jax.tree.structure(One(x=2.0, name="a"))
    assert jax.tree.structure(one) != jax.tree.structure(One(x=1.0, name="b"))
    assert jax.tree.leaves(one) == [1.0] and jax.tree.map(lambda x: x + 1, one).x == 2.0
    assert one.replace(x=3.0).x == 3.0 and repr(one) == "One(x=1.0, name='a')"  # type: ignore[attr-defined]


CASES = [*OBJECTIVES.values(), *BATCH_PENALTIES.values()]
CASES += [*PARAMETERIZATIONS.values(), *TRANSFORMS.values()]


def test_no_two_kinds_of_part_share_a_structure() -> None:
    kinds: dict[Any, set[type]] = {}
    for case in CASES:
        kinds.setdefault(jax.tree.structure(case), set()).add(type(case))
    assert not [shared for shared in kinds.values() if len(shared) > 1]


def test_a_sum_is_no_product() -> None:
    a, b = fvjax.Cosine(), fvjax.Inversion()
    assert jax.tree.structure(a + b) != jax.tree.structure(a * b)
    assert jax.tree.structure(a + b) != jax.tree.structure(b + a)


def test_jit_tells_objectives_without_leaves_apart() -> None:
    """Trusting to hashes alone, one in a hundred pairs of programs was mistaken for the other."""
    activations = {"conv2": jnp.linspace(-1, 2, 16)[None, None]}
    for _ in range(50):

        def score_of(o: Any, a: Any, d: Any) -> Any:
            return o(a, d)

        score = jax.jit(score_of)
        cosine = score(fvjax.Cosine(), activations, DIRECTION)
        inversion = score(fvjax.Inversion(), activations, DIRECTION)
        assert cosine > 0 > inversion
