"""How selective units are for known labels: which one they prefer, and how many they serve.

A unit's response to an image is its mean activation over positions, r >= 0. The images have
attributes of labels that exclude each other (shape, texture, hue); m_c is a unit's mean response to
label c of an attribute. Everything is about the unit: what its network was told does not enter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Responses = Float[np.ndarray, "images units"]
Labels = Int[np.ndarray, "images attributes"]


@dataclass(frozen=True)
class Selectivity:
    """Of each unit; NaN for one that never fires, and -1 for what it or a constant one prefers.

    Args:
        explained: share of the variance of r that an attribute's labels explain, corrected for
            their number (epsilon squared, Kelley 1935): 1 - (SS_within / (n - k)) / (SS_total / (n - 1))
            for n images and k labels, at least 0; NaN for a constant unit.
        attribute: the attribute that explains most.
        label: of that attribute, the one of largest m_c.
        index: (m_max - m_rest) / (m_max + m_rest), where m_rest is the mean of the other m_c: the
            class selectivity index of Morcos et al. 2018, within the preferred attribute; 1 for a
            unit that fires for one label only. NaN where a mean is negative.
        effective_labels: effective number of labels that it fires for, exp(-sum p_c log p_c) with
            p_c = m_c / sum m, within the preferred attribute; NaN where a mean is negative.
        effective_attributes: effective number of attributes that drive it, the same of the shares
            of `explained`: 1 for a unit that cares for hue alone; NaN where no attribute explains
            anything.

    A preferred label says little where its attribute explains little.
    """

    explained: Float[np.ndarray, "units attributes"]
    attribute: Int[np.ndarray, "units"]
    label: Int[np.ndarray, "units"]
    index: Float[np.ndarray, "units"]
    effective_labels: Float[np.ndarray, "units"]
    effective_attributes: Float[np.ndarray, "units"]


def selectivity(responses: Responses, labels: Labels, counts: Sequence[int]) -> Selectivity:
    """Of units, over images of which every label is known.

    Args:
        responses: of each image and unit.
        labels: of each image, one for each attribute.
        counts: labels of each attribute.

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
    """Share of each unit's `count` most exciting images that have its preferred label.

    (Zhou et al. 2015.) NaN for a unit that prefers none, or fires for fewer images than that.
    """
    best = np.argsort(-responses, axis=0, kind="stable")[:count]
    fires = (np.take_along_axis(np.asarray(responses), best, 0) > 0).all(0) & (found.attribute >= 0)
    share: np.ndarray = (labels[best, found.attribute[None]] == found.label[None]).mean(0)
    return np.where(fires, share, np.nan)


def effective_number(weights: Float[np.ndarray, "*rows kinds"]) -> Float[np.ndarray, "*rows"]:
    """exp of the entropy of weights divided by their sum (Hill 1973, order 1); NaN where that is 0.

    1 where all weight is on one kind, the number of kinds where all weigh the same.
    """
    total = weights.sum(-1, keepdims=True)
    p = weights / np.where(total > 0, total, np.nan)
    logs = np.log(np.where(p > 0, p, 1))
    number: np.ndarray = np.exp(-(p * logs).sum(-1))
    return number


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
    whole = np.where((means.min(0) >= 0) & (most > 0), most + rest, np.nan)
    index: np.ndarray = (most - rest) / whole
    return index
