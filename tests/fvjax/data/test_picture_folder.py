"""Folders are read as people keep them: links, hidden files and other files among pictures."""

from pathlib import Path

import numpy as np
from PIL import Image

from fvjax.data.image_sets import ReferenceImages


def paint(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path, format="png")


def test_hidden_names_and_other_files_are_ignored_and_said(tmp_path: Path) -> None:
    paint(*[tmp_path / "cat" / f"{i}.PNG" for i in range(2)], tmp_path / "dog" / "0.jpg")
    paint(tmp_path / ".ipynb_checkpoints" / "0.png", tmp_path / "cat" / "._0.png")
    (tmp_path / ".DS_Store").write_bytes(b"")
    (tmp_path / "dog" / "notes.pdf").write_text("%PDF")
    (tmp_path / "dog" / "page.eps").write_text("%!PS-Adobe")
    (tmp_path / "dog" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    images = ReferenceImages(str(tmp_path), (8, 8), 9)
    assert [p.relative_to(tmp_path).as_posix() for p in images.paths] == [
        *("cat/0.PNG", "cat/1.PNG", "dog/0.jpg"),
    ]
    assert images.attributes == {"class": ("cat", "dog")}
    (note,) = images.notes
    assert note.startswith(f"{tmp_path}: ignored what is no picture or begins with a dot (.DS_")
    assert note.endswith("and 1 more)")


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    paint(tmp_path / "elsewhere" / "tulip" / "0.png", tmp_path / "set" / "rose" / "0.png")
    (tmp_path / "set" / "tulip").symlink_to(tmp_path / "elsewhere" / "tulip")
    (tmp_path / "set" / "rose" / "all").symlink_to(tmp_path / "set")  # a circle
    images = ReferenceImages(str(tmp_path / "set"), (8, 8), 9)
    assert [path.parent.name for path in images.paths] == ["rose", "tulip"]
    assert images.attributes == {"class": ("rose", "tulip")} and images.notes == ()
    assert next(iter(images)).labels.tolist() == [[0], [1]]


def test_a_class_that_the_count_drops_is_said(tmp_path: Path) -> None:
    paint(*[tmp_path / name / "0.png" for name in ("a", "b", "c")])
    images = ReferenceImages(str(tmp_path), (8, 8), 2)
    assert images.attributes == {"class": ("a", "b")}
    (note,) = images.notes
    assert note == (f"{tmp_path}: reference_count takes 2 of 3 pictures, and none of the classes c")


def test_a_picture_beside_the_classes_is_said(tmp_path: Path) -> None:
    paint(*[tmp_path / name / "0.png" for name in ("a", "b")], tmp_path / "stray.png")
    images = ReferenceImages(str(tmp_path), (8, 8), 9)
    assert images.attributes == {} and "beside them (stray.png)" in images.notes[0]


def test_generated_images_have_no_notes() -> None:
    assert ReferenceImages("generated", (64, 64), 2).notes == ()


def test_another_content_is_another_identity(tmp_path: Path) -> None:
    paint(tmp_path / "0.png")
    before = ReferenceImages(str(tmp_path), (8, 8), 9).identity
    Image.fromarray(np.ones((8, 8, 3), np.uint8)).save(tmp_path / "0.png")
    assert ReferenceImages(str(tmp_path), (8, 8), 9).identity != before
