"""Selectivity of units for known labels: the preferred label, and effective numbers.

A unit's response to an image is its mean activation over positions, r >= 0. The images have
attributes (shape, texture, hue) whose labels exclude each other; m_c is a unit's mean response to
label c of an attribute. The labels on which the network was trained do not enter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Responses = Float[np.ndarray, "images units"]
Labels = Int[np.ndarray, "images attributes"]


@dataclass(frozen=True)
class Selectivity:
    """Selectivity of each unit; NaN for a unit that never fires.

    The preferred attribute and label of a constant unit are -1.

    Args:
        explained: share of the variance of r due to an attribute's labels, corrected for their
            number (epsilon squared, Kelley 1935): 1 - (SS_within / (n - k)) / (SS_total / (n - 1))
            for n images and k labels, at least 0; NaN for a constant unit.
        attribute: the attribute that explains most.
        label: the label of that attribute with the largest m_c.
        index: (m_max - m_rest) / (m_max + m_rest), where m_rest is the mean of the other m_c: the
            class selectivity index of Morcos et al. 2018, within the preferred attribute.
            1 for a unit that fires for one label only; NaN if a mean is negative.
        effective_labels: effective number of labels, exp(-sum p_c log p_c) with
            p_c = m_c / sum m, within the preferred attribute; NaN if a mean is negative.
        effective_attributes: effective number of attributes, computed from the shares in
            `explained`; 1 for a unit that depends on hue alone, NaN if `explained` is 0.

    A preferred label means little if its attribute explains little.
    """

    explained: Float[np.ndarray, "units attributes"]
    attribute: Int[np.ndarray, "units"]
    label: Int[np.ndarray, "units"]
    index: Float[np.ndarray, "units"]
    effective_labels: Float[np.ndarray, "units"]
    effective_attributes: Float[np.ndarray, "units"]


def selectivity(responses: Responses, labels: Labels, counts: Sequence[int]) -> Selectivity:
    """Return the selectivity of units over images with known labels.

    Args:
        responses: response of each unit to each image.
        labels: one label of each attribute for each image.
        counts: number of labels of each attribute.

    Raises:
        ValueError: a label that no image has, or as many labels as images.
    """
    r = np.asarray(responses, np.float64)
    means = [
        _means(r, labels[:, attribute], count, attribute) for attribute, count in enumerate(counts)
    ]
    explained = np.stack(
        [_explained(r, labels[:, attribute], mean) for attribute, mean in enumerate(means)], -1
    )
    units = np.arange(r.shape[1])
    varies = np.ptp(r, axis=0) > 0
    attribute = np.where(varies, np.nan_to_num(explained).argmax(-1), -1)
    label = np.where(varies, np.stack([m.argmax(0) for m in means])[attribute, units], -1)
    index = np.stack([_index(m) for m in means])[attribute, units]
    effective = np.stack([effective_number(np.where(m < 0, np.nan, m).T) for m in means])
    return Selectivity(
        explained=explained,
        attribute=attribute,
        label=label,
        index=index,
        effective_labels=effective[attribute, units],
        effective_attributes=effective_number(explained),
    )


def precision(
    responses: Responses, labels: Labels, found: Selectivity, count: int
) -> Float[np.ndarray, "units"]:
    """Return the share of each unit's `count` top images that have its preferred label.

    After Zhou et al. (2015). NaN for a unit without a preferred label, or with fewer than `count`
    positive responses.
    """
    best = np.argsort(-responses, axis=0, kind="stable")[:count]
    fires = (np.take_along_axis(np.asarray(responses), best, 0) > 0).all(0) & (found.attribute >= 0)
    share: np.ndarray = (labels[best, found.attribute[None]] == found.label[None]).mean(0)
    return np.where(fires, share, np.nan)


def effective_number(weights: Float[np.ndarray, "*rows kinds"]) -> Float[np.ndarray, "*rows"]:
    """Return exp of the entropy of the normalised weights (Hill 1973, order 1).

    1 if one kind has all the weight, the number of kinds if weights are equal, NaN if the sum is 0.
    """
    total = weights.sum(-1, keepdims=True)
    p = weights / np.where(total > 0, total, np.nan)
    logs = np.log(np.where(p > 0, p, 1))
    return np.asarray(np.exp(-(p * logs).sum(-1)))


def _means(
    r: Responses, labels: Int[np.ndarray, "images"], count: int, attribute: int
) -> Float[np.ndarray, "labels units"]:
    images = np.bincount(labels, minlength=count)
    if not images.all():
        missing = int(np.flatnonzero(images == 0)[0])
        raise ValueError(
            f"no image has label {missing} of attribute {attribute}: more images are needed"
        )
    if len(labels) <= count:
        raise ValueError(f"{count} labels need more images than that, got {len(labels)}")
    return np.stack([r[labels == label].mean(0) for label in range(count)])


def _explained(
    r: Responses, labels: Int[np.ndarray, "images"], means: Float[np.ndarray, "labels units"]
) -> Float[np.ndarray, "units"]:
    within = np.square(r - means[labels]).sum(0) / (len(r) - len(means))
    total = np.square(r - r.mean(0)).sum(0) / (len(r) - 1)
    varies = np.ptp(r, axis=0) > 0
    share: np.ndarray = np.maximum(1 - within / np.where(varies, total, np.nan), 0)
    return share


def _index(means: Float[np.ndarray, "labels units"]) -> Float[np.ndarray, "units"]:
    most = means.max(0)
    rest = (means.sum(0) - most) / (len(means) - 1)
    total = np.where((means.min(0) >= 0) & (most > 0), most + rest, np.nan)
    index: np.ndarray = (most - rest) / total
    return index
