"""`model=trained`: a TextureNet trained on some of the labels, cached in the user's folder."""

import logging
import time
from collections.abc import Mapping, Sequence

from fvjax import checks
from fvjax.data.textures import VERSION
from fvjax.models.model import Model
from fvjax.models.texturenet import TextureNet, texturenet_of
from fvjax.training import Trainer, classes_per_attribute
from sweeps.storage.array_cache import ArrayCache, Arrays, digest
from sweeps.storage.cache_folder import cache_folder

log = logging.getLogger(__name__)

_VERSION = 1  # of the training
_STATISTICS = 16  # batches of 128 images, for the normalisation's means and variances
_EVERY = 100  # steps between two lines of the log


def trained(
    *,
    labels: int,
    first_attribute: str,
    seed: int,
    steps: int,
    batch: int,
    widths: Sequence[int],
    also_train: Sequence[int],
) -> Model:
    """Return a TextureNet that distinguishes a number of labels; train it unless it is cached.

    The logits have no names: logits of attributes without labels mean nothing.

    Args:
        labels: number of labels (`fvjax.training.label_granularity`); 0 leaves the weights random.
        first_attribute: the attribute whose labels are distinguished first.
        seed: seed of weights and images; networks that differ only in `labels` begin with the same
            weights and see the same images.
        steps: training steps.
        batch: images per step.
        widths: channels of the five convolutions.
        also_train: other numbers of labels, whose networks are trained in the same pass if they
            are not cached.

    Raises:
        ValueError: an argument is out of range.
    """
    checks.count("model.seed", seed, least=0, most=checks.MOST_SEED)
    checks.count("model.steps", steps)
    checks.count("model.batch", batch)
    for width in widths:
        checks.count("model.widths", width)
    if len(widths) != 5:
        raise ValueError(f"model.widths must be five numbers of channels, got {list(widths)}")
    net = TextureNet(tuple(widths))
    trainers = {
        n: Trainer(
            net,
            seed,
            steps if n else 0,
            batch,
            granularity=classes_per_attribute(n, first_attribute),
        )
        for n in (labels, *also_train)
    }
    store = ArrayCache(cache_folder("trained"))
    found = {n: _cached(store, trainer) for n, trainer in trainers.items()}
    if found[labels] is None:
        missing = {n: trainers[n] for n, network in found.items() if network is None}
        for n, tensors in _run(missing, f"{first_attribute} first, seed {seed}").items():
            store[key_of(trainers[n])] = tensors
            found[n] = texturenet_of(key_of(trainers[n]), tensors)
    return found[labels].replace(classes=())  # type: ignore[union-attr, no-any-return]


def _cached(store: ArrayCache, trainer: Trainer) -> Model | None:
    """Return a network that was trained before; None if it is absent or no such network."""
    key = key_of(trainer)
    try:
        return texturenet_of(key, store[key])
    except (KeyError, ValueError):
        return None


def key_of(trainer: Trainer) -> str:
    """Return the key of a trainer's weights: a hash of everything that decides them."""
    t = trainer
    settings = (t.net.widths, t.seed, t.steps, t.batch, t.adversarial_epsilon, t.granularity)
    return f"texturenet-{'_'.join(map(str, t.granularity))}-{digest(_VERSION, VERSION, settings)}"


def _run(trainers: Mapping[int, Trainer], name: str) -> dict[int, Arrays]:
    """Train networks that differ in their labels, in one pass; return their weights."""
    states, begun = {n: t.begin() for n, t in trainers.items()}, time.monotonic()
    active = {n: t for n, t in trainers.items() if t.steps}
    most = max((t.steps for t in active.values()), default=0)
    for step in range(1, most + 1):
        latest = []
        first = next(iter(active))
        images, labels = active[first].images(states[first])
        for n, trainer in active.items():
            states[n], progress = trainer.learn(states[n], images, labels)
            latest.append((n, progress))
        if step % _EVERY == 0 or step == most:
            losses = ", ".join(f"{n} labels {float(progress.loss):.2f}" for n, progress in latest)
            seconds = time.monotonic() - begun
            log.info(f"training, {name}: step {step} of {most}, {seconds:.0f} s, loss: {losses}")
    return {n: t.tensors(states[n], _STATISTICS) for n, t in trainers.items()}
