"""The table of detectors: a row for each question, test set, layer and detector."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sweeps.studies.uncertainty.auroc import Contrast, estimates
from sweeps.studies.uncertainty.evaluation import IN_DISTRIBUTION, Evaluation

MISTAKES, UNFAMILIAR = "misclassified", "unfamiliar"  # the questions: which images are so


def rows(evaluations: Sequence[Mapping[str, Evaluation]], resamples: int) -> list[dict[str, Any]]:
    """Return a row for each question, test set, layer and detector.

    Args:
        evaluations: the evaluations of each fold by test set, the familiar images among them.
        resamples: the number of resamples of the images.
    """
    table = []
    for question, name, contrasts in _contrasts(evaluations):
        positive = np.concatenate([contrast.positive for contrast in contrasts])
        answers = [right for fold in evaluations if (right := fold[name].right) is not None]
        summary = {
            "question": question,
            "images": name,
            "accuracy": float(np.concatenate(answers).mean()) if answers else None,
            "positives": int(positive.sum()),
            "negatives": int((~positive).sum()),
        }
        for (layer, detector), estimate in estimates(contrasts, resamples).items():
            table.append(summary | {"layer": layer, "detector": detector} | estimate)
    return table


def _contrasts(
    evaluations: Sequence[Mapping[str, Evaluation]],
) -> Iterator[tuple[str, str, list[Contrast]]]:
    """Yield question, test set and the contrast within each fold."""
    labelled = [name for name, own in evaluations[0].items() if own.right is not None]
    for name in labelled:
        evaluations_of_set = [fold[name] for fold in evaluations]
        yield MISTAKES, name, [Contrast(o.images, ~o.right, o.scores) for o in evaluations_of_set]  # type: ignore[operator]
    for name in evaluations[0]:
        if name != IN_DISTRIBUTION:
            yield (
                UNFAMILIAR,
                name,
                [_against(fold[IN_DISTRIBUTION], fold[name]) for fold in evaluations],
            )


def _against(familiar: Evaluation, strange: Evaluation) -> Contrast:
    return Contrast(
        np.concatenate([familiar.images, strange.images]),
        np.repeat([False, True], [familiar.images.size, strange.images.size]),
        {k: np.concatenate([x, strange.scores[k]]) for k, x in familiar.scores.items()},
    )
