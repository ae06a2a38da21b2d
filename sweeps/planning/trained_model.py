"""`model=trained`: a TextureNet told some of the labels, kept in the user's cache folder."""

import logging
import time
from collections.abc import Mapping, Sequence

from fvjax import checks
from fvjax.data.textures import VERSION
from fvjax.models.model import Model
from fvjax.models.texturenet import TextureNet, texturenet
from fvjax.training import Trainer, classes_per_attribute
from sweeps.storage.array_cache import ArrayCache, Arrays, cache_folder, digest

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
    """A TextureNet trained to tell so many labels apart; trained now unless it was before.

    Its logits have no names: those of groups that it was not told mean nothing.

    Args:
        labels: told apart (`fvjax.training.label_granularity`); 0 leaves the weights random.
        first_attribute: the attribute that is told first.
        seed: of the weights and the images: nets that differ in `labels` begin alike and see the
            same images.
        steps: of the training.
        batch: images of a step.
        widths: channels of the five convolutions.
        also_train: other numbers of labels, whose networks are trained in the same pass if they are
            missing: they share the drawing of images.
    """
    checks.count("model.seed", seed, least=0, most=checks.MOST_SEED)
    checks.count("model.steps", steps)
    checks.count("model.batch", batch)
    for width in widths:
        checks.count("model.widths", width)
    if len(widths) != 5:
        raise ValueError(f"model.widths must be five numbers of channels, got {list(widths)}")
    net, store = TextureNet(tuple(widths)), ArrayCache(cache_folder() / "trained")
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
    wanted = key_of(trainers[labels])
    if wanted not in store:
        missing = {n: t for n, t in trainers.items() if key_of(t) not in store}
        for n, tensors in _run(missing, f"{first_attribute} first, seed {seed}").items():
            store[key_of(trainers[n])] = tensors
    found = texturenet(store.folder / f"{wanted}.npz")
    return found.replace(classes=())  # type: ignore[attr-defined, no-any-return]


def key_of(trainer: Trainer) -> str:
    """The name of a trainer's weights: a hash of all that decides them."""
    t = trainer
    settings = (t.net.widths, t.seed, t.steps, t.batch, t.adversarial_epsilon, t.granularity)
    return f"texturenet-{'_'.join(map(str, t.granularity))}-{digest(_VERSION, VERSION, settings)}"


def _run(trainers: Mapping[int, Trainer], name: str) -> dict[int, Arrays]:
    """Trainers that differ in their tasks, to the end."""
    states, begun = {n: t.begin() for n, t in trainers.items()}, time.monotonic()
    active = {n: t for n, t in trainers.items() if t.steps}
    most = max((t.steps for t in active.values()), default=0)
    for step in range(1, most + 1):
        latest = []
        any_one = next(iter(active))
        images, labels = active[any_one].images(states[any_one])
        for n, trainer in active.items():
            states[n], progress = trainer.learn(states[n], images, labels)
            latest.append((n, progress))
        if step % _EVERY == 0 or step == most:
            losses = ", ".join(f"{n} labels {float(progress.loss):.2f}" for n, progress in latest)
            seconds = time.monotonic() - begun
            log.info(f"training, {name}: step {step} of {most}, {seconds:.0f} s, loss: {losses}")
    return {n: t.tensors(states[n], _STATISTICS) for n, t in trainers.items()}
