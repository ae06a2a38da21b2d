"""A job's id: what changes it, and what does not."""

from pathlib import Path
from typing import Any

import pytest
from conftest import composed

from sweeps.config.job_id import VERSION, job_id
from sweeps.config.paths import CONF
from sweeps.planning.build import build


def id_of(*overrides: str) -> str:
    return build(composed("model=tiny", *overrides)).job_id


def test_an_id_names_its_version() -> None:
    assert id_of().startswith(f"{VERSION}-")


@pytest.mark.parametrize(
    "overrides",
    [
        ["steps=256"],
        ["objective=dot_cosine", "objective.exponent=2"],
        ["transform=standard", "transform.jitter=8"],
        ["layer=conv2"],
        ["image_size=32"],
        ["learning_rate=0.05"],
    ],
)
def test_a_value_at_its_default_changes_no_id(overrides: list[str]) -> None:
    assert id_of(*overrides) == id_of()


@pytest.mark.parametrize(
    "override",
    ["steps=255", "objective=dot", "objective.exponent=2.5", "seed=1", "image_size=40", "+note=1"],
)
def test_another_value_changes_the_id(override: str) -> None:
    assert id_of(override) != id_of()


def test_a_new_key_at_its_default_changes_no_id(tmp_path: Path) -> None:
    """As if a later version added `temperature` to an option, a group and a top-level key."""
    (tmp_path / "objective").mkdir()
    option, top = tmp_path / "objective" / "dot.yaml", tmp_path / "config.yaml"

    def identify(cfg: dict[str, Any], choices: dict[str, str]) -> str:
        from sweeps.config import job_id as module

        module._option.cache_clear()
        module._defaults.cache_clear()
        return job_id(cfg, choices, tmp_path)

    option.write_text("_target_: fvjax.Dot\n")
    top.write_text("defaults: [{objective: dot_cosine}]\nsteps: 10\n")
    cfg: dict[str, Any] = {"objective": {"_target_": "fvjax.Dot"}, "steps": 10}
    before = identify(cfg, {"objective": "dot"})
    option.write_text("_target_: fvjax.Dot\ntemperature: 1.0\n")
    top.write_text("defaults: [{objective: dot_cosine}, {engine: inline}]\nsteps: 10\nnew: 3\n")
    cfg["objective"]["temperature"] = 1
    cfg |= {"new": 3, "engine": {}}
    assert identify(cfg, {"objective": "dot", "engine": "inline"}) == before
    cfg["objective"]["temperature"] = 2
    assert identify(cfg, {"objective": "dot", "engine": "inline"}) != before


def test_the_shipped_defaults_are_read() -> None:
    cfg = {"objective": {"_target_": "fvjax.Cosine"}}
    assert job_id(cfg, {"objective": "cosine"}, CONF) != job_id(cfg, {"objective": "mine"}, CONF)
