"""Pictures are read by networks with class names, and arms are compared with intervals."""

import io
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import fvjax
from sweeps.studies.recognized import arm_table, recognition, short_names

CLASSES = ("red", "green", "blue", "black, dark")


def reader(scale: float) -> fvjax.Model:
    """A network whose class is the strongest colour."""

    def apply(weights: Any, image: Any, record: Any) -> None:
        record("logits", jnp.concatenate([image.mean((0, 1)), jnp.zeros(1)]) * weights)

    model = fvjax.Model.from_function(apply, jnp.array(scale), image_size=8)
    return model.replace(classes=CLASSES)  # type: ignore[attr-defined, no-any-return]


def picture(channel: int, strength: int) -> dict[str, Any]:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[..., channel % 3] = strength
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    return {"bytes": buffer.getvalue(), "path": ""}


@pytest.fixture
def results() -> pd.DataFrame:
    rows = []
    for objective, strength in (("dot", 60), ("cosine", 240)):
        for channel in range(4):
            for seed in (0, 1):
                rows.append(
                    {"job": len(rows), "status": "ok", "objective": objective, "space": "plain"}
                    | {"direction": "logit", "direction_index": channel, "seed": seed}
                    | {"label": CLASSES[channel].split(",")[0], "model": "reader"}
                    | {"image": picture(channel, strength + 5 * channel)}
                )
    return pd.DataFrame(rows)


def test_probabilities_are_the_network_s_of_the_picture_s_class(results: pd.DataFrame) -> None:
    values = recognition(results, {"reader": reader(10.0), "other": reader(1.0)})
    assert len(values) == 2 * len(results)
    row = values[(values["network"] == "reader") & (values["job"] == 0)].iloc[0]
    logits = np.exp(10 * np.array([60 / 255, 0, 0, 0]))
    assert row["probability"] == pytest.approx(logits[0] / logits.sum(), rel=1e-4)
    assert row["rank"] == 1
    black = values[(values["network"] == "reader") & (values["label"] == "black")]
    assert set(black["rank"]) == {2}


def test_arms_are_compared_with_each_baseline(results: pd.DataFrame, tmp_path: Path) -> None:
    values = recognition(results, {"reader": reader(10.0)})
    arms = arm_table(results, values, ["dot"], "probability").set_index("arm")
    assert list(arms.index) == ["dot", "cosine"]
    cosine, dot = arms.loc["cosine"], arms.iloc[0]
    assert cosine["classes"] == 4 and cosine["n"] == 8
    assert cosine["mean"] > dot["mean"]
    expected = cosine["mean"] - dot["mean"]
    assert cosine.filter(like="difference").iloc[0] == pytest.approx(expected)
    assert cosine["mean_low"] < cosine["mean"] < cosine["mean_high"]
    logarithms = arm_table(results, values, ["dot"], "log10").set_index("arm")
    own = values[values["arm"] == "cosine"]
    assert logarithms.loc["cosine"]["mean"] == pytest.approx(np.log10(own["probability"]).mean())
    with pytest.raises(ValueError, match="unknown baseline 'inversion'"):
        arm_table(results, values, ["inversion"], "log10")


def test_short_names_leave_out_what_the_first_arm_has() -> None:
    names = pd.Series(["dot plain fourier decay=1", "dot_cosine exponent=2 plain pixels"])
    assert list(short_names(names)) == ["dot", "dot_cosine exponent=2 pixels"]


def test_a_class_that_a_network_lacks_is_refused(results: pd.DataFrame) -> None:
    wrong = results.assign(label="purple")
    with pytest.raises(ValueError, match="no class of 4 has the name 'purple'"):
        recognition(wrong, {"reader": reader(1.0)})
