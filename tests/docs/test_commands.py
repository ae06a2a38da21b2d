"""Every command that a page shows has keys and options that exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

from sweeps.command import available
from sweeps.config import enumerate_jobs
from sweeps.config.free_keys import allow_free_keys
from sweeps.config.grids import expand

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Another sweeper, a folder, placeholders.
_OTHERS = ("optuna", "--config-dir", "...", "NAME", "key=")


def commands(page: Path) -> Iterator[list[str]]:
    """The words after `python -m` of each command in the page's code blocks and code spans."""
    text = page.read_text().replace("\\\n", " ")
    blocks = re.findall(r"```(?:bash|)\n(.*?)```", text, re.DOTALL)
    spans = re.findall(
        r"`(python -m sweeps[^`]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    )
    for line in [*"\n".join(blocks).splitlines(), *spans]:
        match = re.search(r"python -m (sweeps[\w.]* .*)", " ".join(line.split()))
        if match and not any(word in line for word in _OTHERS):
            yield shlex.split(match[1], comments=True)


def on_pages(application: bool) -> list[tuple[str, list[str]]]:
    """The commands with the name of their page: of the application, or the others."""
    found = [(page.name, words) for page in PAGES for words in commands(page)]
    return [(name, words) for name, words in found if (words[0] == "sweeps") == application]


@pytest.mark.parametrize(("page", "words"), on_pages(application=True))
def test_the_keys_of_a_command_exist(
    page: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of thousands of jobs, some are enough.
    monkeypatch.setattr(enumerate_jobs, "expand", lambda *given: expand(*given)[:3])
    keys = [word for word in words[1:] if word not in ("-m", "--multirun")]
    jobs = enumerate_jobs.jobs_of(allow_free_keys([key for key in keys if "=" in key]))
    wrong = [config for config in jobs.configs if isinstance(config, Exception)]
    assert not wrong, wrong[0]


def test_the_other_commands_exist() -> None:
    named = {words[0].partition(".")[2] for _, words in on_pages(application=False)}
    assert {"compare", "report", "statistics"} <= named <= set(available())
