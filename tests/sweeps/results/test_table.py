"""The table on disk: parts, attempts, damaged files, lost pictures, what a kill leaves."""

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sweeps.results import parts
from sweeps.results.table import consolidate, load, load_history, write_part


def row(job: int, status: str = "ok", **cells: Any) -> dict[str, Any]:
    curve = {"score": np.linspace(0, job, 3, dtype=np.float32)} if status == "ok" else None
    return {"job": job, "job_id": f"id{job}", "status": status, "history": curve} | cells


def picture(job: int, content: bytes = b"PNG") -> dict[str, Any]:
    return {"bytes": content, "path": f"images/{job}.png"}


def truncate(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    return content[:100] + bytes([content[100] ^ 16]) + content[101:]


def blank(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[: middle - 50] + bytes(100) + content[middle + 50 :]


DAMAGES: list[Callable[[bytes], bytes]] = [truncate, flip, blank, lambda content: b""]


def test_a_failed_batch_and_a_leftover_do_not_keep_the_table_from_being_made(
    tmp_path: Path,
) -> None:
    write_part(tmp_path, [row(0)])
    write_part(tmp_path, [row(1, "failed", error="gone")])
    (tmp_path / "parts" / "results-0001-abc.partial").touch()
    consolidate(tmp_path)
    assert list(load(tmp_path)["status"]) == ["ok", "failed"]
    history = load_history(tmp_path)
    assert history.to_dict("list") == {"job": [0] * 3, "step": [0, 1, 2], "score": [0.0] * 3}
    assert not (tmp_path / "parts").exists() and "history" not in load(tmp_path)


def test_results_without_history_are_a_table(tmp_path: Path) -> None:
    write_part(tmp_path, [row(0, "failed")])
    consolidate(tmp_path)
    assert len(load(tmp_path)) == 1 and list(load_history(tmp_path)) == ["job", "step"]


def test_histories_of_different_lengths_and_quantities_are_one_table(tmp_path: Path) -> None:
    write_part(tmp_path, [row(0, history={"score": np.ones(2)}), row(1, "failed")])
    write_part(tmp_path, [row(2, history={"score": np.ones(1), "dot": np.zeros(1)})])
    consolidate(tmp_path)
    history = load_history(tmp_path)
    assert history[["job", "step"]].to_numpy().tolist() == [[0, 0], [0, 1], [2, 0]]
    assert history["dot"].isna().tolist() == [True, True, False]


def test_a_job_number_that_was_taken_twice_loses_no_row(tmp_path: Path) -> None:
    write_part(tmp_path, [row(0, job_id="one")])
    write_part(tmp_path, [row(0, job_id="other")])
    consolidate(tmp_path)
    assert set(load(tmp_path)["job_id"]) == {"one", "other"}


@pytest.mark.parametrize("first", ["failed", "ok"])
def test_the_later_attempt_counts_whatever_the_clock_says(tmp_path: Path, first: str) -> None:
    write_part(tmp_path, [row(0, first, dot=1.0)], attempt=1)
    (early,) = tmp_path.glob("parts/results-0001-*.parquet")
    os.utime(early, (2**32, 2**32))  # the clock was set back after it was written
    write_part(tmp_path, [row(0, dot=2.0)], attempt=2)
    for table in (load(tmp_path), consolidate(tmp_path), load(tmp_path)):
        assert table[["status", "dot", "attempt"]].to_numpy().tolist() == [["ok", 2.0, 2]]
    assert parts.read_directory(tmp_path).attempt == 2


def test_a_good_row_outlives_a_later_failure(tmp_path: Path) -> None:
    write_part(tmp_path, [row(0, dot=1.0)], attempt=1)
    write_part(tmp_path, [row(0, "failed")], attempt=2)
    assert consolidate(tmp_path)["dot"].tolist() == [1.0]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_named_and_set_aside_and_costs_no_other(
    damage: Callable[[bytes], bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_part(tmp_path, [row(0), row(1)], attempt=1)
    write_part(tmp_path, [row(2)], attempt=2)
    (bad,) = tmp_path.glob("parts/results-0001-*.parquet")
    content = damage(bad.read_bytes())
    bad.write_bytes(content)
    assert list(load(tmp_path)["job"]) == [2] and bad.exists()
    assert list(load_history(tmp_path)["job"].unique()) == [2]
    assert f"{bad} cannot be read and is left out: " in caplog.text
    caplog.clear()
    assert list(consolidate(tmp_path)["job"]) == [2]
    assert f"{bad} cannot be read" in caplog.text
    assert (tmp_path / "parts" / "bad" / bad.name).read_bytes() == content
    assert list(consolidate(tmp_path)["job"]) == list(load(tmp_path)["job"]) == [2]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_is_set_aside_and_the_parts_count(
    damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    write_part(tmp_path, [row(0)])
    consolidate(tmp_path)
    merged = tmp_path / "results.parquet"
    merged.write_bytes(damage(merged.read_bytes()))
    with pytest.raises(ValueError, match=f"{tmp_path} holds no results that can be read"):
        load(tmp_path)
    write_part(tmp_path, [row(1)], attempt=2)
    assert list(consolidate(tmp_path)["job"]) == [1]
    assert (tmp_path / "parts" / "bad" / "results.parquet").exists()
    merged.write_bytes(b"")
    write_part(tmp_path, [row(2)], attempt=3)
    consolidate(tmp_path)
    assert len(list(tmp_path.glob("parts/bad/*results.parquet"))) == 2  # neither is overwritten


def test_no_flipped_bit_changes_a_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    random = np.random.default_rng(0)
    rows = [row(i, dot=random.normal(), image=picture(i, random.bytes(40))) for i in range(40)]
    write_part(tmp_path, rows)
    good = consolidate(tmp_path)
    path, histories = tmp_path / "results.parquet", load_history(tmp_path)
    whole, refused = path.read_bytes(), 0
    for bit in random.integers(0, 8 * len(whole), 1000):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            pd.testing.assert_frame_equal(load(tmp_path), good)
            pd.testing.assert_frame_equal(load_history(tmp_path), histories)
        except ValueError:
            refused += 1
    assert refused > 950  # the rest are flips in the name of the checksum


def test_a_lack_of_memory_sets_no_file_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_part(tmp_path, [row(0)])

    def fail(*_: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(pq.ParquetFile, "read", fail)
        consolidate(tmp_path)
    assert list(consolidate(tmp_path)["job"]) == [0] and not (tmp_path / "parts").exists()


def test_other_readers_find_checksums_of_pages(tmp_path: Path) -> None:
    write_part(tmp_path, [row(i, dot=i / 7) for i in range(100)])
    consolidate(tmp_path)
    path = tmp_path / "results.parquet"
    content = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(4)
    assert column.path_in_schema == "dot"
    content[column.dictionary_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match="checksum"):
        pq.read_table(path, page_checksum_verification=True)


def test_hugging_face_is_told_that_the_images_are_pictures(tmp_path: Path) -> None:
    """As datasets.Features.from_arrow_schema reads it: the type must be its Image's own."""
    write_part(tmp_path, [row(0, image=None)])
    write_part(tmp_path, [row(1, image=picture(1))])
    consolidate(tmp_path)
    schema = pq.read_schema(tmp_path / "results.parquet")
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert features == {"image": {"_type": "Image"}}
    assert schema.field("image").type == pa.struct({"bytes": pa.binary(), "path": pa.string()})


def test_a_kill_between_the_table_and_the_deletion_of_the_parts_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for job in range(3):
        write_part(tmp_path, [row(job)])

    def kill(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".parquet":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "unlink", kill)
        consolidate(tmp_path)
    assert (tmp_path / "results.parquet").exists()
    assert len(list(tmp_path.glob("parts/*.parquet"))) == 3
    assert list(load(tmp_path)["job"]) == [0, 1, 2] and len(load_history(tmp_path)) == 9
    assert list(consolidate(tmp_path)["job"]) == [0, 1, 2] and len(load_history(tmp_path)) == 9


def test_lost_and_cut_pictures_come_back_from_the_table(tmp_path: Path) -> None:
    pictures = [picture(job, bytes([job]) * 30) for job in range(4)]
    rows = [row(job, image=image) for job, image in enumerate(pictures)]
    rows[3]["image"]["path"] = "../elsewhere.png"
    write_part(tmp_path, [*rows, row(4, "failed", image=None)])
    consolidate(tmp_path)
    images = tmp_path / "images"
    (images / "1.png").unlink()
    (images / "2.png").write_bytes(b"")
    consolidate(tmp_path)
    assert [(images / f"{job}.png").read_bytes() for job in range(3)] == [
        bytes([job]) * 30 for job in range(3)
    ]
    assert sorted(path.name for path in images.iterdir()) == ["0.png", "1.png", "2.png"]
    assert not (tmp_path.parent / "elsewhere.png").exists()


def test_lost_snapshots_come_back_too(tmp_path: Path) -> None:
    snapshots = [
        {"step": step, "bytes": bytes([step]) * 30, "path": f"images/0-step{step}.png"}
        for step in (1, 2)
    ]
    write_part(tmp_path, [row(0, image=picture(0), snapshot_images=snapshots)])
    write_part(tmp_path, [row(1, image=picture(1), snapshot_images=None)])
    consolidate(tmp_path)
    lost = tmp_path / "images" / "0-step2.png"
    lost.unlink()
    consolidate(tmp_path)
    assert lost.read_bytes() == bytes([2]) * 30


def test_a_folder_of_sweeps_is_read_without_the_one_that_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b"):
        write_part(tmp_path / name, [row(0)])
        consolidate(tmp_path / name)
    (tmp_path / "a" / "results.parquet").write_bytes(b"")
    assert list(load(tmp_path)["sweep"]) == ["b"]
    assert "a holds no results that can be read" in caplog.text


def test_a_table_by_another_writer_and_its_own_history_are_read(tmp_path: Path) -> None:
    pd.DataFrame({"job": [0], "job_id": ["v2-a"], "status": ["ok"]}).to_parquet(
        tmp_path / "results.parquet"
    )
    steps = pd.DataFrame({"job": [0, 0], "step": [0, 1], "score": [0.5, 1.0]})
    steps.to_parquet(tmp_path / "history.parquet")
    assert len(load(tmp_path)) == 1
    pd.testing.assert_frame_equal(load_history(tmp_path), steps)


def test_the_home_directory_may_be_written_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_part(tmp_path / "swp", [row(0)])
    assert len(load("~/swp")) == len(load_history("~/swp")) / 3 == 1


def test_some_columns_are_those_of_the_whole_table(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    write_part(sweep, [row(0, "failed"), row(1, dot=1.0, image=picture(1))], attempt=1)
    write_part(sweep, [row(0, dot=2.0, history={"score": np.ones(2)})], attempt=2)
    for _ in ("parts", "merged"):
        whole = load(sweep)
        assert load(sweep, ["dot", "job"]).equals(whole[["dot", "job"]])
        assert load(sweep, images=False).equals(whole.drop(columns="image"))
        assert load(sweep, ["image"], images=False).equals(whole[["image"]])
        with pytest.raises(ValueError, match=r"unknown column 'dott'.*did you mean dot"):
            load(sweep, ["dott"])
        consolidate(sweep)
    swept = load(tmp_path, ["dot"])
    assert list(swept) == ["sweep", "dot"] and set(swept["sweep"]) == {"sweep"}


def test_columns_of_an_old_table_have_their_new_names() -> None:
    old = Path(__file__).parents[2] / "data" / "before_0_2"
    names = ["reference_z", "final_score", "image_height"]
    assert load(old, names)[names].equals(load(old)[names])


def test_damage_is_found_in_the_columns_that_are_read(tmp_path: Path) -> None:
    write_part(tmp_path, [row(i, dot=i / 7, image=picture(i)) for i in range(300)])
    consolidate(tmp_path)
    path, good = tmp_path / "results.parquet", load(tmp_path, ["dot"])
    content, group = path.read_bytes(), pq.ParquetFile(path).metadata.row_group(0)
    chunks = [group.column(i) for i in range(group.num_columns)]
    pages = {
        chunk.path_in_schema: (chunk.dictionary_page_offset or chunk.data_page_offset)
        + chunk.total_compressed_size // 2
        for chunk in chunks
    }
    for name, found in (("dot", True), ("image.bytes", False)):
        damaged = bytearray(content)
        damaged[pages[name]] ^= 1
        path.write_bytes(damaged)
        if found:
            with pytest.raises(ValueError, match="no results that can be read"):
                load(tmp_path, ["dot"])
        else:
            assert load(tmp_path, ["dot"]).equals(good)
        with pytest.raises(ValueError, match="no results that can be read"):
            load(tmp_path)
