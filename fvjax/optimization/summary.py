"""What is known of an ascent so far: its scores, whether it moves, and whether it has converged."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from fvjax.pytree import dataclass
from fvjax.types import Flags, Scalars

WINDOW = 64  # steps over which scores are averaged, because each step's random view differs
LEAST_GAIN = 0.01  # share of its rise so far by which an ascent goes on rising in a window


@dataclass
class Summary:
    """Numbers that every step updates, so that no later step needs the history."""

    initial_score: Scalars  # of the first image, untransformed
    score: Scalars  # of the last step or evaluation
    finite: Bool[Array, "*batch"]  # every score and gradient was a number
    no_gradient: Bool[Array, "*batch"]  # no gradient in any step without revival
    silent: Bool[Array, "*batch"]  # dot was always 0 for all directions read
    window_sum: Float[Array, "*batch"]  # of the scores in the current window
    former_sum: Float[Array, "*batch"]  # of the scores in the window before
    converged: Bool[Array, "*batch"]  # the ascent has stopped
    steps_run: Int[Array, "*batch"]  # gradient steps taken


def begin_summary() -> Summary:
    """Return the summary before the first evaluation."""
    zero, true = jnp.zeros(()), jnp.array(True)
    return Summary(
        initial_score=zero,
        score=zero,
        finite=true,
        no_gradient=true,
        silent=true,
        window_sum=zero,
        former_sum=zero,
        converged=jnp.array(False),
        steps_run=jnp.int32(0),
    )


def update_summary(
    summary: Summary,
    measured: dict[str, Array],
    is_silent: Bool[Array, ""],
    step: Int[Array, ""],
    moved: Bool[Array, ""],
    unaided: Bool[Array, ""],
    may_stop: Flags,
) -> Summary:
    """Return the summary after a step or an evaluation.

    Args:
        summary: the summary before.
        measured: `score` and `gradient_norm` of the image before the step.
        is_silent: whether dot is 0 for all directions that the objective reads.
        step: the number of the step; -1 is the evaluation of the first image.
        moved: whether the image made a gradient step, rather than being evaluated.
        unaided: whether no ReLU revived the direction in this step.
        may_stop: whether the ascent stops when it has converged: when the mean score of `WINDOW`
            steps exceeds that of the `WINDOW` steps before by less than `LEAST_GAIN` of the rise
            since the first image.
    """
    score, gradient_norm = measured["score"], measured["gradient_norm"]
    is_first = step < 0
    is_number = jnp.isfinite(score) & (jnp.isfinite(gradient_norm) | ~moved)
    initial_score = jnp.where(is_first, score, summary.initial_score)

    window_sum = summary.window_sum + jnp.where(moved, score, 0)
    window_ends = moved & ((step + 1) % WINDOW == 0)
    gain = (window_sum - summary.former_sum) / WINDOW
    rises = gain > LEAST_GAIN * (window_sum / WINDOW - initial_score)  # NaN does not rise
    stops = jnp.asarray(may_stop, bool) & window_ends & ~rises & (step + 1 >= 2 * WINDOW)
    return Summary(
        initial_score=initial_score,
        score=score,
        finite=summary.finite & (is_number | is_first),
        no_gradient=summary.no_gradient & ((gradient_norm == 0) | ~(moved & unaided)),
        silent=summary.silent & (is_silent | is_first),
        window_sum=jnp.where(window_ends, 0, window_sum),
        former_sum=jnp.where(window_ends, window_sum, summary.former_sum),
        converged=summary.converged | stops,
        steps_run=summary.steps_run + moved.astype(jnp.int32),
    )
