"""What counts as the content of a file or a folder."""

from pathlib import Path

from sweeps.storage.content_hash import content


def test_a_folder_counts_with_what_its_links_lead_to(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "pictures", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "a.txt").write_text("1")
    (elsewhere / "b.txt").write_text("2")
    (folder / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)  # a circle
    before = content(folder)
    assert isinstance(before, list) and [name for name, _ in before] == ["a.txt", "linked/b.txt"]
    (elsewhere / "b.txt").write_text("22")
    after = content(folder)
    assert isinstance(after, list) and after[0] == before[0] and after[1] != before[1]


def test_other_paths_have_no_content(tmp_path: Path) -> None:
    assert content(tmp_path / "absent") is None
    assert content(tmp_path / ".." / tmp_path.name) == []
