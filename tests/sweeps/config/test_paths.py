"""`~` in the paths that the user names."""

import pytest

from sweeps.config.paths import expand_home, expand_home_of_directory


def test_the_home_directory_is_found_in_all_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    config = {"a": "~/x", "b": ["~", "x~/y", 3], "c": {"d": None, "e": "~x"}}
    expanded = {"a": "/home/me/x", "b": ["/home/me", "x~/y", 3], "c": {"d": None, "e": "~x"}}
    assert expand_home(config) == expanded


def test_the_directory_of_a_command_line_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    given = ["-m", "hydra.sweep.dir=~/a", "hydra.run.dir='~/b c'", "note=~/c", "hydra.sweep.dir=~"]
    assert expand_home_of_directory(given) == [
        *("-m", "hydra.sweep.dir=/home/me/a", "hydra.run.dir='/home/me/b c'", "note=~/c"),
        "hydra.sweep.dir=/home/me",
    ]
