"""Octaves from a config: a key each, columns, and mistakes before anything is compiled."""

import pytest
from conftest import composed

from fvjax.optimization.octaves import by_size
from sweeps.planning.build import build
from sweeps.planning.plan import build_all


def test_octaves_are_keys_whose_defaults_leave_the_job_as_it_is() -> None:
    one = build(composed("model=tiny"))
    assert one.job.recipe.octaves == () and one.columns["octaves"] == 1
    task = build(composed("model=tiny", "image_size=[64,96]", "octaves=3", "octave_scale=1.5"))
    sizes = [job.recipe.parameterization.image_size for job in by_size(task.job)]
    assert sizes == [(28, 43), (43, 64), (64, 96)]
    assert (task.columns["octaves"], task.columns["octave_scale"]) == (3, 1.5)
    assert build(composed("model=tiny", "octaves=1")).job_id == one.job_id


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["octaves=0"], "octaves must be"),
        (["octave_scale=1"], "octave_scale must be above 1"),
        (["octaves=3", "octave_scale=9"], "has no pixels"),
        (["octaves=2", "position=center"], "position=all"),
        (["octaves=2", "parameterization=cppn"], "CPPN has none"),
        (["transform=random_crop", "image_size=48", "position=center"], "position=all"),
        (["octaves=2", "transform=random_crop", "transform.image_size=null"], "image_size must"),
    ],
)
def test_mistakes_are_refused_before_anything_is_compiled(overrides: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build_all([composed("model=tiny", *overrides)], [[]])
