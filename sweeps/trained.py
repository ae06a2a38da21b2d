"""`model=trained`: a TextureNet told some of the labels, kept in the user's cache folder."""

import logging
import time
from collections.abc import Sequence

from fvjax import checks
from fvjax.data.textures import VERSION
from fvjax.models.model import Model
from fvjax.models.texturenet import TextureNet, texturenet
from fvjax.training import Trainer, curriculum
from sweeps.store import Arrays, Store, cache, digest

log = logging.getLogger(__name__)

_VERSION = 1  # of the training
_STATISTICS = 16  # batches of 128 images, for the normalisation's means and variances
_EVERY = 100  # steps between two lines of the log


def trained(
    *,
    labels: int,
    first: str,
    seed: int,
    steps: int,
    batch: int,
    adversary: float,
    widths: Sequence[int],
) -> Model:
    """A TextureNet trained to tell so many labels apart; trained now unless it was before.

    Its logits have no names: those of groups that it was not told mean nothing.

    Args:
        labels: told apart (`fvjax.training.curriculum`); 0 leaves the weights random.
        first: the head that is told first.
        seed: of the weights and the images: nets that differ in `labels` begin alike and see the
            same images.
        steps: of the training.
        batch: images of a step.
        adversary: see `fvjax.training.Trainer`.
        widths: channels of the five convolutions.
    """
    checks.count("model.seed", seed, least=0, most=checks.MOST_SEED)
    checks.count("model.steps", steps)
    checks.count("model.batch", batch)
    checks.not_negative("model.adversary", adversary)
    for width in widths:
        checks.count("model.widths", width)
    if len(widths) != 5:
        raise ValueError(f"model.widths must be five numbers of channels, got {list(widths)}")
    net, told = TextureNet(tuple(widths)), curriculum(labels, first)
    trainer = Trainer(net, seed, steps if labels else 0, batch, float(adversary), told)
    store = Store(cache() / "trained")
    key = key_of(trainer)
    if key not in store:
        store[key] = _run(trainer, f"{labels} labels, {first} first, seed {seed}")
    found = texturenet(store.folder / f"{key}.npz")
    return found.replace(classes=())  # type: ignore[attr-defined, no-any-return]


def key_of(trainer: Trainer) -> str:
    """The name of a trainer's weights: a hash of all that decides them."""
    t = trainer
    settings = (t.net.widths, t.seed, t.steps, t.batch, t.adversary, t.told)
    return f"texturenet-{'_'.join(map(str, t.told))}-{digest(_VERSION, VERSION, settings)}"


def _run(trainer: Trainer, name: str) -> Arrays:
    state, begun = trainer.begin(), time.monotonic()
    for step in range(1, trainer.steps + 1):
        state, progress = trainer.advance(state)
        if step % _EVERY == 0 or step == trainer.steps:
            shares = ", ".join(f"{share:.2f}" for share in progress.accuracy)
            log.info(
                f"training of {name}: step {step} of {trainer.steps}, "
                f"{time.monotonic() - begun:.0f} s, loss {float(progress.loss):.3f}, "
                f"accuracy {shares}"
            )
    return trainer.tensors(state, _STATISTICS)
