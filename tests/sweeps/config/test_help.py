"""The application's help names every group, every command and five examples."""

import re

import yaml
from conftest import ROOT

from sweeps.config.command_help import COMMANDS

HELP = yaml.safe_load((ROOT / "conf" / "config.yaml").read_text())["hydra"]["help"]["template"]


def section(title: str) -> list[str]:
    after = HELP.partition(f"{title}\n")[2]
    lines = after.splitlines()
    return lines[: next(i for i, line in enumerate([*lines, ""]) if not line.strip())]


def test_every_group_has_a_line_with_its_meaning() -> None:
    named = [re.split(r"\s{2,}", line.strip()) for line in section("Groups (GROUP=OPTION):")]
    groups = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()}
    assert {name for name, _ in named} == groups
    assert all(len(meaning) > 10 for _, meaning in named)


def test_every_command_has_a_line_with_its_meaning() -> None:
    lines = section("Commands beside (each has --help):")
    assert dict(re.split(r"\s{2,}", line.strip()) for line in lines) == COMMANDS  # type: ignore[arg-type]


def test_there_are_five_examples() -> None:
    assert len(section("Examples:")) == 5
