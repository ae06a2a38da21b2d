"""Test sets of distorted and unfamiliar images, and the scores of detectors on them."""

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
    """A set of test images, all with the same change or without change."""

    name: str
    reference: ReferenceImages
    change: str | None = None
    strength: float = 0.0
    related: bool = True  # each image derives from the familiar image of the same number
    labelled: bool = False  # the labels are the network's classes


@dataclass(frozen=True)
class Fold:
    """Reference images that fit the distributions, and test sets; the in-distribution set first."""

    reference: ReferenceStatistics
    pictures: tuple[EvaluationSet, ...]


@dataclass(frozen=True)
class Evaluation:
    """The scores of detectors on a set of images."""

    images: Int[np.ndarray, "pictures"]  # equal for pictures made of the same image
    right: Bool[np.ndarray, "pictures"] | None  # whether all heads are right; None without labels
    scores: Scores


def folds(
    reference: ReferenceStatistics,
    tested: int,
    distortions: Mapping[str, float],
    noises: Mapping[str, float],
    photos: str | None,
) -> tuple[Fold, ...]:
    """Return the fits and their test sets.

    Generated reference images have one fold, tested on other generated images. A folder has two
    folds: each half of its images is scored by the fit to the other half.

    Args:
        reference: the statistics on reference images.
        tested: the largest number of images in a test set.
        distortions: strengths of distortions, by name.
        noises: strengths of noises, by name.
        photos: a folder of photographs, unfamiliar to a network of generated images; or None.

    Raises:
        ValueError: the reference images are absent, or too few to be halved.
    """
    images = reference.images
    if not isinstance(images, ReferenceImages):
        raise ValueError(f"uncertainty needs images: {images.source} holds statistics of them")

    def announce(what: str) -> None:
        reference.announce(f"{what}, for each half,")

    if images.source == GENERATED:
        others = replace(images, first=len(images), count=tested)
        unfamiliar = [EvaluationSet("unseen textures", replace(others, source=UNSEEN))]
        if photos is not None and Path(photos).is_dir():
            folder = ReferenceImages(photos, images.image_size, tested)
            unfamiliar.append(EvaluationSet(PHOTOS, folder, related=False))
        pairs = [(reference, others)]
    else:
        if len(images) < _LEAST:
            raise ValueError(
                "one half of the images is judged by what the other half does: "
                f"{images.source} must hold at least {_LEAST}, it holds {len(images)}"
            )
        half, unfamiliar = images.count // 2, []
        halves = [replace(images, first=i, every=2, count=half) for i in range(2)]
        fits = [
            ReferenceStatistics(reference.model, one, reference.store, announce) for one in halves
        ]
        judged = [replace(one, count=min(half, tested)) for one in halves]
        pairs = list(zip(fits, judged[::-1], strict=True))
    labelled = answers_are_labels(reference.model, images)
    return tuple(
        Fold(fit, (*_related_sets(images_of_fold, labelled, distortions, noises), *unfamiliar))
        for fit, images_of_fold in pairs
    )


def _related_sets(
    reference: ReferenceImages,
    labelled: bool,
    distortions: Mapping[str, float],
    noises: Mapping[str, float],
) -> list[EvaluationSet]:
    """Return the unchanged images first, then the changed sets."""
    distorted = {
        name: EvaluationSet(f"{name} {x:g}", reference, name, x) for name, x in distortions.items()
    }
    noisy = [EvaluationSet(f"{name} noise", reference, name, x) for name, x in noises.items()]
    unchanged_and_distorted = [EvaluationSet(IN_DISTRIBUTION, reference), *distorted.values()]
    return [*(replace(test_set, labelled=labelled) for test_set in unchanged_and_distorted), *noisy]


def answers_are_labels(model: Model, reference: ImageSet | ImageSetDescription) -> bool:
    """Return whether the network's classes are the labels of the images."""
    labels = [f"{head}={name}" for head, names in reference.attributes.items() for name in names]
    return bool(labels) and model.classes == tuple(labels)


def left_out(fold: Fold, photos: str | None) -> list[str]:
    """Return the reasons for missing results, one sentence each."""
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
    """Score a set of images by the detectors that are fitted to the fold's reference images."""
    model = fold.reference.model
    fold.reference.collect(layers)
    distributions = {layer: fold.reference.distribution(layer) for layer in layers}
    ask = partial(_evaluate, logits=logits, groups=heads(model, logits), labelled=pictures.labelled)
    parts = [
        ask(model, distributions, *_apply_change(batch, pictures)) for batch in pictures.reference
    ]
    scores_by_layer, right = jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)
    scores = {
        (layer, name): scores_by_layer[layer][name]
        for layer in dict.fromkeys([*layers, logits])
        for name in DETECTORS
        if name in scores_by_layer[layer]
    }
    images = 2 * np.arange(len(pictures.reference)) + (not pictures.related)
    return Evaluation(images, right if pictures.labelled else None, scores)


def _apply_change(batch: Batch, pictures: EvaluationSet) -> tuple[Array, Array]:
    """Return the changed images and their labels."""
    images, labels = jnp.asarray(batch.images), jnp.asarray(batch.labels)
    if pictures.change is None:
        return images, labels
    return _change(images, jnp.asarray(batch.numbers), pictures.strength, pictures.change), labels


@partial(jax.jit, static_argnames="name")
def _change(images: Array, numbers: Array, strength: Any, name: str) -> Array:
    def change(image: Array, number: Array) -> Array:
        key = jax.random.fold_in(jax.random.key(_SEED), number)
        return _CHANGES[name](key, image, strength)

    return jax.vmap(change)(images, numbers)


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
    def evaluate_image(image: Array, label: Array) -> Any:
        activations = model(image)
        right = is_correct(activations[logits], label, groups) if labelled else jnp.array(False)
        return detectors(activations, distributions, logits, groups), right

    return jax.vmap(evaluate_image)(images, labels)
