"""PyTorch's files are read as PyTorch reads them; whatever else they hold is refused unexecuted."""

import io
import pickle
import random
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from pytorch_writer import (
    STORAGES,
    as_pickles,
    as_zip,
    called,
    dictionary,
    many,
    plain,
    storage,
    tensor,
    view,
)

from fvjax.models.pytorch_file import read_state_dict

DATA = Path(__file__).parents[2] / "data"  # written by PyTorch 2.13
FORMS = pytest.mark.parametrize("form", ["zip", "legacy"])


def written(form: str, items: dict[str, np.ndarray], bases: dict[str, np.ndarray]) -> bytes:
    """A file of views; the view's base is found by its key, the part of its name before a dot."""
    legacy = form == "legacy"
    body = dictionary(
        {n: view(a, bases[n.split(".")[0]], n.split(".")[0], legacy) for n, a in items.items()}
    )
    data = {key: base.tobytes() for key, base in bases.items()}
    if legacy:
        return as_pickles(body, data, {key: base.size for key, base in bases.items()})
    return as_zip(body, data)


def read(tmp_path: Path, data: bytes) -> dict[str, np.ndarray]:
    path = tmp_path / "file.pth"
    path.write_bytes(data)
    return read_state_dict(path)


def refusal(tmp_path: Path, data: bytes) -> str:
    with pytest.raises(ValueError) as caught:
        read(tmp_path, data)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'file.pth'} cannot be read as a PyTorch file: ")
    assert not re.search(r"[.!?]\s", message.replace(str(tmp_path), "")) and "\n" not in message
    return message


@FORMS
def test_what_pytorch_wrote_is_read_back(form: str) -> None:
    found = read_state_dict(DATA / f"pytorch_{form}.pth")
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    expected: dict[str, Any] = {
        "turned": base.T,
        "part": base[1:3, 1:5],
        "every_other": base[:, ::2],
        "expanded": np.broadcast_to(np.arange(3, dtype=np.float32), (2, 3)),
        "scalar": np.array(7),
        "empty": np.zeros((0, 3), np.float32),
        **{n: np.array([0, 1, 2, 100], n) for n in STORAGES if n not in ("bfloat16", "bool")},
        "bfloat16": np.array([0, 1, 2, 100], ml_dtypes.bfloat16),
        "bool": np.array([True, False, True]),
        "parameter": np.array([1.5, -2.5], np.float32),
    }
    if form == "zip":  # the older form has no such types
        for name in ("float8_e4m3fn", "float8_e5m2"):
            expected[name] = np.array([0, 1, 2], getattr(ml_dtypes, name))
        expected |= {name: np.array([0, 1, 2], name) for name in ("uint16", "uint32")}
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("name", ["pytorch_checkpoint", "pytorch_checkpoint_legacy"])
def test_a_checkpoint_s_state_dict_is_taken(name: str) -> None:
    found = read_state_dict(DATA / f"{name}.pth")
    kinds = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert list(found) == ["0.weight", "0.bias", *[f"1.{kind}" for kind in kinds]]
    assert found["0.weight"].shape == (3, 2, 3, 3) and np.all(found["1.running_var"] == 1)


def test_a_pickled_module_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match=r"torch\.nn\.modules\.container\.Sequential, which"):
        read_state_dict(DATA / "pytorch_module.pth")


@FORMS
@pytest.mark.parametrize("seed", range(20))
def test_any_views_of_any_storages_come_back(form: str, seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    bases, items = {}, {}
    for key in range(draw.randint(1, 4)):
        shape = tuple(draw.randint(1, 5) for _ in range(draw.randint(1, 4)))
        numbers = np.random.default_rng(seed + key).integers(0, 100, shape)
        kind = ml_dtypes.bfloat16 if draw.random() < 0.1 else draw.choice(sorted(STORAGES))
        whole = np.ascontiguousarray(numbers.astype(kind))
        bases[str(key)] = whole.reshape(-1)
        for number in range(draw.randint(1, 3)):
            axes = draw.sample(range(whole.ndim), whole.ndim)
            cut = tuple(slice(draw.randint(0, n - 1), None, draw.randint(1, 2)) for n in shape)
            items[f"{key}.{number}"] = whole[cut].transpose(axes)
    found = read(tmp_path, written(form, items, bases))
    assert list(found) == list(items)
    for name, array in items.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def one(body: bytes | None = None, **change: Any) -> bytes:
    """A zip file of one tensor of six float32, some of which is changed."""
    given = {"count": 6, "offset": 0, "size": (2, 3), "stride": (3, 1), "kind": "FloatStorage"}
    given |= change
    held = storage("0", given["kind"], given["count"])
    made = tensor(held, given["offset"], given["size"], given["stride"])
    data = np.arange(6, dtype=np.float32).tobytes()
    return as_zip(dictionary({"w": made if body is None else body}), {"0": data})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"count": 7}, "holds 24 bytes instead of 28"),
        ({"count": 2**61}, "longer than the archive"),
        ({"count": -1}, "no length"),
        ({"kind": "DoubleStorage"}, "holds 24 bytes instead of 48"),
        ({"kind": "ComplexFloatStorage"}, "torch.ComplexFloatStorage, which is not loaded"),
        ({"offset": 1}, "reaches beyond its storage '0'"),
        ({"stride": (4, 1)}, "reaches beyond its storage '0'"),
        ({"size": (3, 3)}, "reaches beyond its storage '0'"),
        ({"size": (2, -3)}, "no count"),
        ({"size": (2,)}, "its pickle is broken"),
        ({"size": (2**40, 2**20), "stride": (0, 0)}, "repeats the 6 elements"),
    ],
)
def test_a_tensor_that_its_storage_cannot_hold_is_refused(
    change: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    assert read(tmp_path, one())["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert reason in refusal(tmp_path, one(**change))


class Bomb:
    """Marks the moment it is unpickled."""

    exploded: list[int] = []  # noqa: RUF012

    def __reduce__(self) -> tuple[Any, Any]:
        return Bomb.exploded.append, (1,)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"cos\nsystem\n" + plain(("true",)) + b"R", "os.system, which is not loaded"),
        (b"cbuiltins\neval\n" + plain(("1",)) + b"R", "builtins.eval, which is not loaded"),
        (plain(Bomb()), "which is not loaded"),
        (b"(cos\nsystem\n" + plain("true") + b"o", "os.system"),
        (b"(ccollections\nOrderedDict\no", "its pickle uses OBJ"),
        (b"\xff", "an unknown opcode"),
        (b"(" + plain("true") + b"ios\nsystem\n", "its pickle uses INST"),
        (b"\x8c\x02os\x8c\x06system\x93", "os.system, which is not loaded"),
        (b"ctorch\nFloatStorage\n)R", "its pickle is broken (TypeError)"),
        (b"ctorch\nFloatStorage\n)\x81", "its pickle uses NEWOBJ"),
        (b"ctorch\nFloatStorage\n" + plain({"a": 1}) + b"b", "its pickle is broken (TypeError)"),
        (b"I1\n", "its pickle uses INT"),
        (b"\x82\x01", "its pickle uses EXT1"),
        (b")" + b"\x85" * 200_000 + b"}" + b"h\x00", "broken"),
        (plain("text"), "entry 'w' of its state dict is a str, no tensor"),
        (many(plain("module"), plain("x")) + b"Q", "something that is no storage"),
    ],
)
def test_whatever_is_no_tensor_is_refused_unexecuted(
    body: bytes, reason: str, tmp_path: Path, unchecked: None
) -> None:
    assert reason in refusal(tmp_path, one(body))
    assert Bomb.exploded == []


@pytest.mark.slow
def test_deep_keys_huge_memos_and_repeated_lists_cost_nothing(
    tmp_path: Path, unchecked: None
) -> None:
    deep = b"})" + b"\x85" * 100_000 + plain(1) + b"s"  # Python's hash of the key would crash
    assert "its pickle is broken" in refusal(tmp_path, one(deep))
    memo = b"]r\xff\xff\xff\xff"  # the entry 2**32 - 1 of the memo
    assert "is a list, no tensor" in refusal(tmp_path, one(memo))
    laughs = b"]q\x00" + b"".join(b"](" + b"h\x00" * 9 + b"eq\x00" for _ in range(60))
    assert refusal(tmp_path, one(laughs))
    length = b"\x8d" + (2**50).to_bytes(8, "little") + b"text"
    assert "50" in refusal(tmp_path, one(length)) or "expected" in refusal(tmp_path, one(length))


def test_only_a_dict_of_tensors_is_a_state_dict(tmp_path: Path) -> None:
    assert "holds a list instead" in refusal(tmp_path, as_zip(b"]", {}))
    assert "entry 'epoch' of its state dict is a int" in refusal(
        tmp_path, as_zip(dictionary({"epoch": plain(3)}), {})
    )
    held = tensor(storage("0", "FloatStorage", 1), 0, (1,), (1,))
    nested = {"model": plain("resnet18"), "state_dict": dictionary({"a": held})}
    assert list(read(tmp_path, as_zip(dictionary(nested), {"0": b"\0\0\0\0"}))) == ["a"]


def test_archives_that_are_no_state_dict_are_refused(tmp_path: Path) -> None:
    def archive(compression: int, **files: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", compression) as made:
            for name, data in files.items():
                made.writestr(f"a/{name.replace('_', '.')}", data)
        return out.getvalue()

    stored, packed = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
    assert "0 files data.pkl" in refusal(tmp_path, archive(stored, x=b""))
    assert "is compressed" in refusal(tmp_path, archive(packed, data_pkl=b"\x80\x02}." * 99))
    script = archive(stored, data_pkl=b"\x80\x02}.", constants_pkl=b"")
    assert "TorchScript" in refusal(tmp_path, script)
    big = archive(stored, data_pkl=b"\x80\x02}.", byteorder=b"big")
    assert "little-endian" in refusal(tmp_path, big)


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"PK\x03\x04", b"\x93NUMPY", pickle.dumps({"a": Bomb()}), b"\x89HDF\r\n"]
)
def test_foreign_files_are_refused_unread(data: bytes, tmp_path: Path) -> None:
    refusal(tmp_path, data)
    assert Bomb.exploded == []


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"there is no file {tmp_path}/absent.pth"):
        read_state_dict(tmp_path / "absent.pth")


@pytest.mark.slow
@FORMS
def test_every_truncation_is_refused(form: str, tmp_path: Path) -> None:
    data = (DATA / f"pytorch_{form}.pth").read_bytes()
    for length in range(0, len(data), 7):
        refusal(tmp_path, data[:length])


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Some bytes changed, dropped, doubled or moved."""
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8))):
        here, there = (draw.randrange(len(found)) for _ in range(2))
        match draw.randrange(5):
            case 0:
                found[here] = draw.randrange(256)
            case 1:
                found[here] ^= 1 << draw.randrange(8)
            case 2:
                del found[here : here + draw.randint(1, 8)]
            case 3:
                found[here:here] = found[there : there + draw.randint(1, 16)]
            case _:
                found[here : here + 8] = draw.choice((b"\xff" * 8, b"\0" * 8, b"\x7f" * 4))
    return bytes(found)


def rezipped(data: bytes, draw: random.Random) -> bytes:
    """The archive with its pickle mutated, and a checksum that is right again."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            inside = old.read(name)
            new.writestr(name, mutated(inside, draw) if name.endswith("data.pkl") else inside)
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pytorch_zip", mutated),
        ("pytorch_zip", rezipped),
        ("pytorch_checkpoint", rezipped),
        ("pytorch_legacy", mutated),
        ("pytorch_checkpoint_legacy", mutated),
    ],
)
def test_a_mutated_file_is_read_or_refused(name: str, change: Any, tmp_path: Path) -> None:
    data = (DATA / f"{name}.pth").read_bytes()
    draw, refused = random.Random(name), 0
    for _ in range(200):  # tests/fuzz draws many more
        try:
            found = read(tmp_path, change(data, draw))
        except ValueError as error:
            assert str(tmp_path / "file.pth") in str(error)
            refused += 1
        else:
            assert all(len(a.tobytes()) == a.nbytes for a in found.values())  # all is readable
    assert refused > 60


@pytest.mark.slow
def test_torch_is_not_imported() -> None:
    code = (
        "import sys; from fvjax.models.pytorch_file import read_state_dict as r;"
        f"r({str(DATA / 'pytorch_zip.pth')!r}); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_rebuilt_parameter_is_its_tensor(tmp_path: Path) -> None:
    held = tensor(storage("0", "FloatStorage", 1), 0, (1,), (1,))
    hooks = called("collections", "OrderedDict", b")")
    made = called("torch._utils", "_rebuild_parameter", many(held, plain(True), hooks))
    assert read(tmp_path, as_zip(dictionary({"a": made}), {"0": b"\0\0\0\0"}))["a"].tolist() == [0]
