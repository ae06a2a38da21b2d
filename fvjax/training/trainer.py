"""A training run of TextureNet, reproducible from its seed, and the evaluation on new images."""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from fvjax.data import textures
from fvjax.models.model import Record
from fvjax.models.texturenet import TextureNet
from fvjax.pytree import dataclass
from fvjax.training.batch_norm import Images, fold_batch_norm, forward, population_statistics
from fvjax.training.label_granularity import ALL, ClassesPerAttribute, grouped
from fvjax.types import Key, Scalar

SMOOTHING = 0.05  # label smoothing
LEARNING_RATE, WEIGHT_DECAY, WARM_UP = 3e-3, 5e-4, 200  # AdamW, half a cosine after the warm-up
PURPOSES = ("weights", "images", "statistics", "evaluation")
_NEVER = -1e9  # the logit of a missing group

Labels = Int[Array, "batch 3"]  # shape, texture, hue
Groups = ClassesPerAttribute | Int[Array, "3"]
Logits = Float[Array, "batch 24"]


@dataclass
class State:
    """Parameters (`weights` of the network, `norms` of the normalisation), Adam's moments, step."""

    parameters: Any
    moments: Any
    step: Int[Array, ""]


@dataclass
class Progress:
    """The loss of one step and its accuracy for shape, texture and hue."""

    loss: Scalar
    accuracy: Float[Array, "3"]


@dataclasses.dataclass(frozen=True)
class Trainer:
    """The settings of a training run.

    Args:
        net: the network.
        seed: seed of the weights and of all images.
        steps: planned number of steps, over which the learning rate falls to zero.
        batch: images per step.
        adversarial_epsilon: train on adversarial images: each image is moved along the gradient of
            the loss by a random length, at most this (Euclidean, over all pixels and channels) at
            the end of training and proportionally less before; 0 is ordinary training.
        granularity: number of groups of each attribute's eight classes (`classes_per_attribute`);
            the first logits of a head are the groups. Images do not depend on the granularity.
    """

    net: TextureNet
    seed: int
    steps: int
    batch: int
    adversarial_epsilon: float = 0.0
    granularity: ClassesPerAttribute = ALL

    def begin(self) -> State:
        """Return the initial state, with random weights."""
        image = jnp.zeros((textures.SIZE, textures.SIZE, 3))
        weights = self.net.init(key_for(self.seed, "weights"), image, Record({}, False))["params"]
        norms = {
            f"conv{i}": {"gain": jnp.ones(width), "shift": jnp.zeros(width)}
            for i, width in enumerate(self.net.widths, start=1)
        }
        parameters = {"weights": weights, "norms": norms}
        moments = self._optimizer().init(parameters)
        return State(parameters=parameters, moments=moments, step=jnp.zeros((), jnp.int32))

    def advance(self, state: State) -> tuple[State, Progress]:
        """Take one step on new images."""
        return self.learn(state, *self.images(state))

    def images(self, state: State) -> tuple[Images, Labels]:
        """Return the images of the next step, which do not depend on `granularity`."""
        key = jax.random.fold_in(key_for(self.seed, "images"), state.step)
        return draw(key, self.batch)  # type: ignore[no-any-return]

    def learn(self, state: State, images: Images, labels: Labels) -> tuple[State, Progress]:
        """Take one step on these images; the state's buffers are donated.

        Seeds and granularities share a compiled program.
        """
        program = dataclasses.replace(self, seed=0, granularity=ALL)
        seed, granularity = jnp.asarray(self.seed, jnp.uint32), jnp.asarray(self.granularity)
        return program._learn(state, images, labels, seed, granularity)  # type: ignore[no-any-return]

    @partial(jax.jit, static_argnums=0, donate_argnums=1)
    def _learn(
        self, state: State, images: Images, labels: Labels, seed: Array, granularity: Array
    ) -> tuple[State, Progress]:
        if self.adversarial_epsilon > 0:
            reach = self.adversarial_epsilon * state.step / self.steps
            key = jax.random.fold_in(key_for(seed, "images"), state.step)
            lengths = reach * jax.random.uniform(jax.random.fold_in(key, 1), (self.batch, 1, 1, 1))
            images = self._adversarial_images(
                state.parameters, images, labels, lengths, granularity
            )

        def loss(parameters: Any) -> tuple[Scalar, Logits]:
            logits, _ = forward(self.net, parameters, images)
            return cross_entropy(logits, labels, granularity), logits

        (value, logits), gradient = jax.value_and_grad(loss, has_aux=True)(state.parameters)
        update, moments = self._optimizer().update(gradient, state.moments, state.parameters)
        parameters = optax.apply_updates(state.parameters, update)
        state = State(parameters=parameters, moments=moments, step=state.step + 1)
        return state, Progress(loss=value, accuracy=correct(logits, labels, granularity).mean(0))

    def _adversarial_images(
        self, parameters: Any, images: Images, labels: Labels, lengths: Array, granularity: Groups
    ) -> Images:
        """Return each image moved along the gradient of the loss by its length."""

        def loss(images: Images) -> Scalar:
            return cross_entropy(forward(self.net, parameters, images)[0], labels, granularity)

        gradient = jax.grad(loss)(images)
        norm = jnp.sqrt(jnp.square(gradient).sum((1, 2, 3), keepdims=True))
        return jnp.clip(images + lengths * gradient / (norm + 1e-12), 0, 1)

    def tensors(self, state: State, batches: int) -> dict[str, np.ndarray]:
        """Return the network with folded batch norms: float16 arrays by their names in the file.

        Args:
            state: state of the training.
            batches: number of batches of 128 images for the means and variances.
        """
        key = key_for(self.seed, "statistics")
        images = [draw(jax.random.fold_in(key, i), 128)[0] for i in range(batches)]
        folded = fold_batch_norm(
            state.parameters, population_statistics(self.net, state.parameters, images)
        )
        return {
            f"{layer}/{name}": np.asarray(x, np.float16)
            for layer, parameters in folded.items()
            for name, x in parameters.items()
        }

    def _optimizer(self) -> optax.GradientTransformation:
        steps = max(self.steps, 2)  # a schedule requires steps, even without training
        warm_up = min(WARM_UP, steps // 2)
        rate = optax.warmup_cosine_decay_schedule(0.0, LEARNING_RATE, warm_up, steps, 1e-6)

        def kernels(parameters: Any) -> Any:
            return jax.tree.map(lambda x: x.ndim > 1, parameters)

        return optax.adamw(rate, b2=0.99, weight_decay=WEIGHT_DECAY, mask=kernels)


def key_for(seed: int | Array, purpose: str) -> Key:
    """Return a separate key for each of `PURPOSES`: evaluation images are not training images."""
    return jax.random.fold_in(jax.random.key(seed), PURPOSES.index(purpose))


@partial(jax.jit, static_argnums=1)
def draw(key: Key, batch: int) -> tuple[Images, Labels]:
    """Return random images and their labels."""
    samples = jax.vmap(textures.sample)(jax.random.split(key, batch))
    return samples.image, jnp.stack([samples.shape, samples.texture, samples.hue], -1)


def cross_entropy(logits: Logits, labels: Labels, granularity: Groups = ALL) -> Scalar:
    """Return the sum of the heads' cross-entropies with smoothed labels; mean over the images.

    A head of one group contributes 0 and has no gradient.
    """
    groups = jnp.asarray(granularity)[None, :, None]
    log_probabilities = jax.nn.log_softmax(_heads(logits, granularity))
    targets = jax.nn.one_hot(grouped(labels, granularity), 8) * (1 - SMOOTHING) + SMOOTHING / groups
    return (
        -(jnp.where(jnp.arange(8)[None, None] < groups, targets * log_probabilities, 0))
        .sum((1, 2))
        .mean()
    )


def correct(logits: Logits, labels: Labels, granularity: Groups = ALL) -> Bool[Array, "batch 3"]:
    """Return whether each head's largest logit belongs to the label's group."""
    return _heads(logits, granularity).argmax(-1) == grouped(labels, granularity)


def _heads(logits: Logits, granularity: Groups) -> Float[Array, "batch 3 8"]:
    exists = jnp.arange(8)[None, None] < jnp.asarray(granularity)[None, :, None]
    return jnp.where(exists, logits.reshape(-1, len(textures.ATTRIBUTES), 8), _NEVER)


def accuracy(net: TextureNet, weights: Any, key: Key, batches: int) -> dict[str, float]:
    """Return each head's accuracy on `batches` x 128 new images."""
    keys = [jax.random.fold_in(key, i) for i in range(batches)]
    shares = np.mean([_shares(net, weights, *draw(k, 128)) for k in keys], 0)
    return {head: float(share) for head, share in zip(textures.ATTRIBUTES, shares, strict=True)}


@partial(jax.jit, static_argnums=0)
def _shares(net: TextureNet, weights: Any, images: Images, labels: Labels) -> Float[Array, "3"]:
    record = Record({}, False)
    net.apply({"params": weights}, images, record)
    return correct(record.activations["logits"], labels).mean(0)
