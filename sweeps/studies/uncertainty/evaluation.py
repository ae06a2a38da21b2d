"""Images that a network should be less sure of, and what detectors say of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from fvjax.data.corruptions import DISTORTIONS, NOISES
from fvjax.data.image_sets import GENERATED, UNSEEN, Batch, Images, Reference
from fvjax.metrics.ood_detectors import DETECTORS, Heads, detectors, heads, right
from fvjax.models.model import Model, in_its_precision
from fvjax.reference.activation_statistics import Natural
from fvjax.reference.distances import Gauge

FAMILIAR, PHOTOS = "familiar", "photographs"
_SEED = 0  # of noise
_LEAST = 4  # images of a folder: two in each half
_CHANGES = DISTORTIONS | NOISES

Scores = dict[tuple[str, str], np.ndarray]  # by layer and detector


@dataclass(frozen=True)
class Pictures:
    """Images, each changed in the same way, or not at all."""

    name: str
    reference: Reference
    change: str | None = None
    strength: float = 0.0
    related: bool = True  # each is made of the familiar image of the same number
    labelled: bool = False  # with the network's own classes


@dataclass(frozen=True)
class Fold:
    """Reference images that fit the gauges, and others to judge; the familiar ones come first."""

    natural: Natural
    pictures: tuple[Pictures, ...]


@dataclass(frozen=True)
class Looked:
    """What detectors say of pictures."""

    images: Int[np.ndarray, "pictures"]  # equal for pictures made of the same image
    right: Bool[np.ndarray, "pictures"] | None  # every head's answer; None without labels
    scores: Scores


def folds(
    natural: Natural,
    tested: int,
    distortions: Mapping[str, float],
    noises: Mapping[str, float],
    photos: str | None,
) -> tuple[Fold, ...]:
    """What to judge: generated images that the reference has not, or each half of a folder.

    Args:
        natural: the reference images; a folder's halves fit and are judged by turns.
        tested: how many images of each kind, at most.
        distortions: strengths, by name.
        noises: the same.
        photos: a folder, which a network of generated images is not made for.
    """
    reference = natural.reference
    if not isinstance(reference, Reference):
        raise ValueError(f"uncertainty needs images: {reference.source} holds statistics of them")

    def announce(what: str) -> None:
        natural.announce(f"{what}, for each half,")

    if reference.source == GENERATED:
        others = replace(reference, first=len(reference), count=tested)
        strangers = [Pictures("unseen textures", replace(others, source=UNSEEN))]
        if photos is not None and Path(photos).is_dir():
            folder = Reference(photos, reference.size, tested)
            strangers.append(Pictures(PHOTOS, folder, related=False))
        pairs = [(natural, others)]
    else:
        if len(reference) < _LEAST:
            raise ValueError(
                "one half of the images is judged by what the other half does: "
                f"{reference.source} must hold at least {_LEAST}, it holds {len(reference)}"
            )
        half, strangers = reference.count // 2, []
        halves = [replace(reference, first=i, every=2, count=half) for i in range(2)]
        fits = [Natural(natural.model, one, natural.store, announce) for one in halves]
        judged = [replace(one, count=min(half, tested)) for one in halves]
        pairs = list(zip(fits, judged[::-1], strict=True))
    labelled = answers_are_labels(natural.model, reference)
    return tuple(
        Fold(fit, (*_made_of(one, labelled, distortions, noises), *strangers)) for fit, one in pairs
    )


def _made_of(
    reference: Reference,
    labelled: bool,
    distortions: Mapping[str, float],
    noises: Mapping[str, float],
) -> list[Pictures]:
    """The images themselves, which come first, and what is made of them."""
    kept = {name: Pictures(f"{name} {x:g}", reference, name, x) for name, x in distortions.items()}
    noise = [Pictures(f"{name} noise", reference, name, x) for name, x in noises.items()]
    own = [Pictures(FAMILIAR, reference), *kept.values()]
    return [*(replace(one, labelled=labelled) for one in own), *noise]


def answers_are_labels(model: Model, reference: Images) -> bool:
    """Whether the network's classes are the labels of the images."""
    labels = [f"{head}={name}" for head, names in reference.heads.items() for name in names]
    return bool(labels) and model.classes == tuple(labels)


def left_out(fold: Fold, photos: str | None) -> list[str]:
    """What could not be asked, and why, in sentences."""
    reference, model = fold.natural.reference, fold.natural.model
    notes = []
    if not reference.heads:
        notes.append(f"no class_distance and centroid_margin: {reference.source} has no labels")
    if not answers_are_labels(model, reference):
        notes.append(
            f"no misclassified images: no labels of {reference.source} are the network's classes"
        )
    if reference.source == GENERATED and not any(p.name == PHOTOS for p in fold.pictures):
        notes.append(f"no photographs: there is no folder {photos}, set FVJAX_PHOTOS to one")
    return notes


def look(fold: Fold, layers: Sequence[str], logits: str, pictures: Pictures) -> Looked:
    """What the detectors fitted to the fold's reference images say of some pictures."""
    model = fold.natural.model
    fold.natural.collect(layers)
    gauges = {layer: fold.natural.gauge(layer, centered=False) for layer in layers}
    ask = partial(_look, logits=logits, groups=heads(model, logits), labelled=pictures.labelled)
    parts = [ask(model, gauges, *_seen(batch, pictures)) for batch in pictures.reference]
    found, known = jax.tree.map(lambda *each: np.concatenate(each), *parts)
    scores = {
        (layer, name): found[layer][name]
        for layer in dict.fromkeys([*layers, logits])
        for name in DETECTORS
        if name in found[layer]
    }
    images = 2 * np.arange(len(pictures.reference)) + (not pictures.related)
    return Looked(images, known if pictures.labelled else None, scores)


def _seen(batch: Batch, pictures: Pictures) -> tuple[Array, Array]:
    """Images after the change, and their labels."""
    images, labels = jnp.asarray(batch.images), jnp.asarray(batch.labels)
    if pictures.change is None:
        return images, labels
    return _change(images, jnp.asarray(batch.numbers), pictures.strength, pictures.change), labels


@partial(jax.jit, static_argnames="name")
def _change(images: Array, numbers: Array, strength: Any, name: str) -> Array:
    def one(image: Array, number: Array) -> Array:
        key = jax.random.fold_in(jax.random.key(_SEED), number)
        return _CHANGES[name](key, image, strength)

    return jax.vmap(one)(images, numbers)


@partial(jax.jit, static_argnames=("logits", "groups", "labelled"))
@in_its_precision
def _look(
    model: Model,
    gauges: Mapping[str, Gauge],
    images: Float[Array, "images height width 3"],
    labels: Int[Array, "images heads"],
    *,
    logits: str,
    groups: Heads,
    labelled: bool,
) -> Any:
    def one(image: Array, label: Array) -> Any:
        activations = model(image)
        known = right(activations[logits], label, groups) if labelled else jnp.array(False)
        return detectors(activations, gauges, logits, groups), known

    return jax.vmap(one)(images, labels)
