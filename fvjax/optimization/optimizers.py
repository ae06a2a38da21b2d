"""The optimizers that a recipe can name."""

from collections.abc import Callable, Mapping

import optax

from fvjax.types import Number

# Objectives differ by 1000 in the scale of their gradients, and scale must not decide: Adam's eps
# is far below any of them (optax's 1e-8 is not: cosine's gradient at the start is 2e-3 rms, and
# squared dot's 1e3 times that).
_EPSILON = 1e-16

OPTIMIZERS: Mapping[str, Callable[[Number], optax.GradientTransformation]] = {
    "adam": lambda rate: optax.adam(rate, eps=_EPSILON),
    "nadam": lambda rate: optax.nadam(rate, eps=_EPSILON),
    "rmsprop": lambda rate: optax.rmsprop(rate, decay=0.9, eps=_EPSILON**2),
    "sgd": lambda rate: optax.sgd(rate),
    # Its line search looks at a step's view several times, so it is for transform=none; it finds
    # the step itself: the learning rate is not used.
    "lbfgs": lambda rate: optax.lbfgs(),
}
