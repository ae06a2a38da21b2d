"""The optimizers that a recipe can name."""

from collections.abc import Callable, Mapping

import optax

from fvjax.types import Number

# The scale of an objective must not affect the image, and gradients differ by a factor of 1000
# (root mean square at the start: cosine 2e-3, squared dot 2). optax's eps of 1e-8 is too large.
_EPSILON = 1e-16

OPTIMIZERS: Mapping[str, Callable[[Number], optax.GradientTransformation]] = {
    "adam": lambda rate: optax.adam(rate, eps=_EPSILON),
    "nadam": lambda rate: optax.nadam(rate, eps=_EPSILON),
    "rmsprop": lambda rate: optax.rmsprop(rate, decay=0.9, eps=_EPSILON**2),
    "sgd": lambda rate: optax.sgd(rate),
    # The line search evaluates a step's view several times, so transforms must be off. The learning
    # rate is not used.
    "lbfgs": lambda rate: optax.lbfgs(),
}
