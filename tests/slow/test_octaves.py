"""A sweep over octaves: columns, pictures of one size, and a resume that runs what is missing."""

from pathlib import Path

import numpy as np
from conftest import App
from PIL import Image

import sweeps

SWEEP = ("-m", "model=tiny", "metrics=none", "steps=6", "image_size=48", "octave_scale=1.5")


def test_octaves_are_swept_recorded_and_resumed(app: App, tmp_path: Path) -> None:
    here = ("hydra.sweep.dir=some", "hydra.launcher.job_dirs=false")
    tiles = "transform=standard,random_crop"
    assert app(*SWEEP, "octaves=1,2", "snapshots=[3]", tiles, *here) == 0
    table = sweeps.load(tmp_path / "some")
    assert set(table["status"]) == {"ok"}
    assert sorted(table["octaves"]) == [1, 1, 2, 2] and set(table["octave_scale"]) == {1.5}
    for path in (tmp_path / "some" / "images").glob("*.png"):
        assert np.asarray(Image.open(path)).shape == (48, 48, 3)
    more = ("octaves=1,2,3", "hydra.launcher.resume=true")
    assert app(*SWEEP, "snapshots=[3]", tiles, *more, *here) == 0
    again = sweeps.load(tmp_path / "some")
    assert sorted(again["octaves"]) == [1, 1, 2, 2, 3, 3]
    merged = table.merge(again, on="job_id")
    assert len(merged) == 4 and (merged["final_score_x"] == merged["final_score_y"]).all()
