"""What detectors are worth, as rows: one for each question, set of images, layer and detector."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sweeps.studies.uncertainty.auroc import Contrast, estimates
from sweeps.studies.uncertainty.evaluation import IN_DISTRIBUTION, Evaluation

MISTAKES, STRANGERS = "misclassified", "unfamiliar"  # the questions: which pictures are


def rows(looked: Sequence[Mapping[str, Evaluation]], resamples: int) -> list[dict[str, Any]]:
    """A row for each question, set, layer and detector.

    Args:
        looked: of each fold, its sets of pictures by name, the familiar ones among them.
        resamples: of the images.
    """
    found = []
    for question, name, contrasts in _contrasts(looked):
        positive = np.concatenate([one.positive for one in contrasts])
        known = [right for fold in looked if (right := fold[name].right) is not None]
        told = {
            "question": question,
            "images": name,
            "accuracy": float(np.concatenate(known).mean()) if known else None,
            "positives": int(positive.sum()),
            "negatives": int((~positive).sum()),
        }
        for (layer, detector), estimate in estimates(contrasts, resamples).items():
            found.append(told | {"layer": layer, "detector": detector} | estimate)
    return found


def _contrasts(
    looked: Sequence[Mapping[str, Evaluation]],
) -> Iterator[tuple[str, str, list[Contrast]]]:
    """Each question and set: what is compared within each fold."""
    labelled = [name for name, own in looked[0].items() if own.right is not None]
    for name in labelled:
        each = [fold[name] for fold in looked]
        yield MISTAKES, name, [Contrast(o.images, ~o.right, o.scores) for o in each]  # type: ignore[operator]
    for name in looked[0]:
        if name != IN_DISTRIBUTION:
            yield STRANGERS, name, [_against(fold[IN_DISTRIBUTION], fold[name]) for fold in looked]


def _against(familiar: Evaluation, strange: Evaluation) -> Contrast:
    return Contrast(
        np.concatenate([familiar.images, strange.images]),
        np.repeat([False, True], [familiar.images.size, strange.images.size]),
        {k: np.concatenate([x, strange.scores[k]]) for k, x in familiar.scores.items()},
    )
