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

from fvjax.data.corruptions import CORRUPTIONS, NOISES
from fvjax.data.image_sets import GENERATED, UNSEEN, Batch, ImageSet, ReferenceImages
from fvjax.metrics.ood_detectors import DETECTORS, Heads, detectors, heads, is_correct
from fvjax.models.model import Model, with_model_precision
from fvjax.reference.activation_statistics import ImageSetDescription, ReferenceStatistics
from fvjax.reference.distances import ReferenceDistribution

IN_DISTRIBUTION, PHOTOS = "familiar", "photographs"
_SEED = 0  # of noise
_LEAST = 4  # images of a folder: two in each half
_CHANGES = CORRUPTIONS | NOISES

Scores = dict[tuple[str, str], np.ndarray]  # by layer and detector


@dataclass(frozen=True)
class EvaluationSet:
    """Images, each changed in the same way, or not at all."""

    name: str
    reference: ReferenceImages
    change: str | None = None
    strength: float = 0.0
    related: bool = True  # each is made of the familiar image of the same number
    labelled: bool = False  # with the network's own classes


@dataclass(frozen=True)
class Fold:
    """Reference images that fit the distributions, and test sets; the in-distribution set first."""

    reference: ReferenceStatistics
    pictures: tuple[EvaluationSet, ...]


@dataclass(frozen=True)
class Evaluation:
    """What detectors say of pictures."""

    images: Int[np.ndarray, "pictures"]  # equal for pictures made of the same image
    right: Bool[np.ndarray, "pictures"] | None  # every head's answer; None without labels
    scores: Scores


def folds(
    reference: ReferenceStatistics,
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
    images = reference.images
    if not isinstance(images, ReferenceImages):
        raise ValueError(f"uncertainty needs images: {images.source} holds statistics of them")

    def announce(what: str) -> None:
        reference.announce(f"{what}, for each half,")

    if images.source == GENERATED:
        others = replace(images, first=len(images), count=tested)
        strangers = [EvaluationSet("unseen textures", replace(others, source=UNSEEN))]
        if photos is not None and Path(photos).is_dir():
            folder = ReferenceImages(photos, images.image_size, tested)
            strangers.append(EvaluationSet(PHOTOS, folder, related=False))
        pairs = [(reference, others)]
    else:
        if len(images) < _LEAST:
            raise ValueError(
                "one half of the images is judged by what the other half does: "
                f"{images.source} must hold at least {_LEAST}, it holds {len(images)}"
            )
        half, strangers = images.count // 2, []
        halves = [replace(images, first=i, every=2, count=half) for i in range(2)]
        fits = [
            ReferenceStatistics(reference.model, one, reference.store, announce) for one in halves
        ]
        judged = [replace(one, count=min(half, tested)) for one in halves]
        pairs = list(zip(fits, judged[::-1], strict=True))
    labelled = answers_are_labels(reference.model, images)
    return tuple(
        Fold(fit, (*_made_of(one, labelled, distortions, noises), *strangers)) for fit, one in pairs
    )


def _made_of(
    reference: ReferenceImages,
    labelled: bool,
    distortions: Mapping[str, float],
    noises: Mapping[str, float],
) -> list[EvaluationSet]:
    """The images themselves, which come first, and what is made of them."""
    kept = {
        name: EvaluationSet(f"{name} {x:g}", reference, name, x) for name, x in distortions.items()
    }
    noise = [EvaluationSet(f"{name} noise", reference, name, x) for name, x in noises.items()]
    own = [EvaluationSet(IN_DISTRIBUTION, reference), *kept.values()]
    return [*(replace(one, labelled=labelled) for one in own), *noise]


def answers_are_labels(model: Model, reference: ImageSet | ImageSetDescription) -> bool:
    """Whether the network's classes are the labels of the images."""
    labels = [f"{head}={name}" for head, names in reference.attributes.items() for name in names]
    return bool(labels) and model.classes == tuple(labels)


def left_out(fold: Fold, photos: str | None) -> list[str]:
    """What could not be asked, and why, in sentences."""
    reference, model = fold.reference.images, fold.reference.model
    notes = []
    if not reference.attributes:
        notes.append(f"no class_distance and centroid_margin: {reference.source} has no labels")
    if not answers_are_labels(model, reference):
        notes.append(
            f"no misclassified images: no labels of {reference.source} are the network's classes"
        )
    if reference.source == GENERATED and not any(p.name == PHOTOS for p in fold.pictures):
        notes.append(f"no photographs: there is no folder {photos}, set FVJAX_PHOTOS to one")
    return notes


def evaluate(fold: Fold, layers: Sequence[str], logits: str, pictures: EvaluationSet) -> Evaluation:
    """What the detectors fitted to the fold's reference images say of some pictures."""
    model = fold.reference.model
    fold.reference.collect(layers)
    distributions = {layer: fold.reference.distribution(layer) for layer in layers}
    ask = partial(_evaluate, logits=logits, groups=heads(model, logits), labelled=pictures.labelled)
    parts = [ask(model, distributions, *_seen(batch, pictures)) for batch in pictures.reference]
    found, known = jax.tree.map(lambda *each: np.concatenate(each), *parts)
    scores = {
        (layer, name): found[layer][name]
        for layer in dict.fromkeys([*layers, logits])
        for name in DETECTORS
        if name in found[layer]
    }
    images = 2 * np.arange(len(pictures.reference)) + (not pictures.related)
    return Evaluation(images, known if pictures.labelled else None, scores)


def _seen(batch: Batch, pictures: EvaluationSet) -> tuple[Array, Array]:
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
@with_model_precision
def _evaluate(
    model: Model,
    distributions: Mapping[str, ReferenceDistribution],
    images: Float[Array, "images height width 3"],
    labels: Int[Array, "images heads"],
    *,
    logits: str,
    groups: Heads,
    labelled: bool,
) -> Any:
    def one(image: Array, label: Array) -> Any:
        activations = model(image)
        known = is_correct(activations[logits], label, groups) if labelled else jnp.array(False)
        return detectors(activations, distributions, logits, groups), known

    return jax.vmap(one)(images, labels)
