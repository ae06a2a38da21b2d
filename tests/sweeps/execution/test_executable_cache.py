"""Programs kept for the next process: what decides the key, and what becomes of bad files."""

import hashlib
import json
import os
import pickle
import resource
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CHANNELS, DIRECTION, LUCID, OBJECTIVES, PARAMETERIZATIONS, SIZE, TRANSFORMS
from jax.sharding import Mesh

import fvjax
from fvjax import Model
from fvjax.models.model import Record
from fvjax.models.tiny import tiny
from fvjax.optimization.recipe import as_leaves, stack_jobs
from fvjax.pytree import dataclass
from fvjax.types import Activations
from sweeps.execution import compile as program
from sweeps.execution import executable_cache
from sweeps.execution.batched import measure_jobs, run_jobs
from sweeps.execution.compile import compile_program, compiler_options
from sweeps.execution.executable_cache import ExecutableCache

MODEL = tiny()
MESH = Mesh(np.array(jax.devices()[:1]), ("jobs",))
RECIPE = fvjax.Recipe(
    objective=fvjax.Cosine(),
    parameterization=PARAMETERIZATIONS["pixels"],
    transform=LUCID,
    learning_rate=0.05,
    steps=2,
    optimizer="adam",
)


def jobs(seed: int = 0, many: int = 1, **recipe: Any) -> fvjax.Job:
    changed = RECIPE.replace(**recipe)  # type: ignore[attr-defined]
    job = as_leaves(fvjax.Job(recipe=changed, direction=DIRECTION, key=jax.random.key(seed)))
    return stack_jobs([job] * many)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)


@pytest.fixture
def made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the functions whose programs were made anew."""
    names: list[str] = []
    shard_jobs = program.shard_jobs

    def counted(function: Any, *rest: Any) -> Any:
        names.append(function.__name__)
        return shard_jobs(function, *rest)

    monkeypatch.setattr(program, "shard_jobs", counted)
    return names


def picture(model: Model = MODEL, seed: int = 0, **recipe: Any) -> np.ndarray:
    given = model, jobs(seed, **recipe)
    return np.asarray(compile_program(run_jobs, MESH, *given)(*given).image)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.executable"))


def key(model: Any = MODEL, *given: Any, function: Any = run_jobs, options: Any = ()) -> str | None:
    return ExecutableCache(Path()).key(function, MESH, options, (model, *(given or (jobs(),))))


def test_a_kept_program_is_neither_traced_nor_different(folder: Path, made: list[str]) -> None:
    first, other = picture(), picture(seed=1)
    assert made == ["run_jobs"] and len(files(folder)) == 1
    np.testing.assert_array_equal(picture(), first)
    np.testing.assert_array_equal(picture(seed=1), other)
    assert made == ["run_jobs"] and np.any(first != other)


def test_a_program_in_bfloat16_is_kept(folder: Path, made: list[str]) -> None:
    """Its pickle refers to ml_dtypes.bfloat16, the type of constants."""
    first = picture(MODEL.in_precision("bfloat16"))
    assert len(files(folder)) == 1
    np.testing.assert_array_equal(picture(MODEL.in_precision("bfloat16")), first)
    assert made == ["run_jobs"]


SCRIPT = """
import sys
sys.path[:0] = [{tests!r}, {root!r}]
import jax
jax.config.update("jax_compilation_cache_dir", {folder!r})
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
import test_executable_cache as t
shard_jobs, count = t.program.shard_jobs, []
t.program.shard_jobs = lambda *given: count.append(1) or shard_jobs(*given)
print(len(count), float(t.picture().sum()), len(count))
"""


@pytest.mark.slow
def test_another_process_reads_what_was_kept_even_where_the_file_was_lost(tmp_path: Path) -> None:
    def process() -> list[str]:
        script = SCRIPT.format(
            tests=str(Path(__file__).parent),
            root=str(Path(__file__).parents[2]),
            folder=str(tmp_path),
        )
        environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
        run = [sys.executable, "-c", script]
        done = subprocess.run(run, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    first = process()
    assert first[::2] == ["0", "1"]
    (lost,) = files(tmp_path)
    lost.unlink()
    # XLA's own cache must not serve this one: what comes out of it cannot be written again.
    assert process() == first
    assert files(tmp_path) == [lost]
    assert process() == [*first[:2], "0"]
    assert not [path for path in tmp_path.iterdir() if "run_jobs_" in path.name]


def test_numbers_do_not_change_the_key() -> None:
    assert key() == key(tiny(1), jobs(3, learning_rate=0.1))
    one, two = fvjax.DotCosine(exponent=1.0, floor=0.1), fvjax.DotCosine(exponent=2.0, floor=0.3)
    assert key(MODEL, jobs(objective=one)) == key(MODEL, jobs(objective=two))


def test_structure_shapes_types_function_and_options_do() -> None:
    others = [jobs(steps=3), jobs(optimizer="sgd"), jobs(many=2)]
    others += [jobs(parameterization=p) for n, p in PARAMETERIZATIONS.items() if n != "pixels"]
    others += [jobs(transform=t) for n, t in TRANSFORMS.items() if n != "standard"]
    alike = ("cosine", "dot_cosine")  # as the first job and "dot" are
    others += [jobs(objective=o) for n, o in OBJECTIVES.items() if n not in alike]
    keys = [key(), *[key(MODEL, other) for other in others]]
    keys += [key(fvjax.load("texturenet")), key(MODEL.in_precision("bfloat16"))]
    keys += [key(function=measure_jobs), key(options=("fast",))]
    assert None not in keys and len(set(keys)) == len(keys)


def test_so_do_settings_and_what_the_program_is_traced_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = key()
    with jax.default_matmul_precision("bfloat16"):
        assert key() != before
    monkeypatch.setattr(executable_cache, "environment_fingerprint", lambda: "another version")
    assert key() != before


@dataclass
class Mine(fvjax.Objective):
    """A user's own objective."""

    def __call__(self, activations: Activations, direction: fvjax.Direction) -> jax.Array:
        """Any activation at all."""
        return jnp.mean(activations[direction.layer])


def my_network(weights: Any, image: jax.Array, record: Record) -> None:
    record(DIRECTION.layer, jnp.tile(image, (1, 1, CHANNELS))[..., :CHANNELS] * weights)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["network", "objective"])
def test_what_is_not_ours_is_not_kept_and_runs(what: str, folder: Path, made: list[str]) -> None:
    network = Model.from_function(my_network, jnp.ones(()), image_size=(SIZE, SIZE))
    model = network if what == "network" else MODEL
    objective = Mine() if what == "objective" else fvjax.Cosine()
    assert key(model, jobs(objective=objective)) is None
    assert np.isfinite(picture(model, objective=objective)).all()
    assert made == ["run_jobs"] and not files(folder)


class Bomb:
    """Marks the moment it is unpickled."""

    exploded: list[int] = []  # noqa: RUF012

    def __reduce__(self) -> tuple[Any, Any]:
        return Bomb.exploded.append, (1,)


def forged(content: bytes, old: bytes, results: Any = "*") -> bytes:
    """A file like the old one, with a true digest, whose executable is other bytes."""
    about = json.loads(old.splitlines()[2]) | {"bytes": len(content)}
    about |= {} if results == "*" else {"results": results}
    body = json.dumps(about).encode() + b"\n" + zlib.compress(content)
    return old.splitlines()[0] + b"\n" + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def executable_of(data: bytes) -> bytes:
    return zlib.decompress(data.split(b"\n", 3)[3])


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def bomb(data: bytes) -> bytes:
    return forged(pickle.dumps((Bomb(), [], False)), data)


def system(data: bytes) -> bytes:
    return forged(b"cposix\nsystem\n(S'touch /tmp/poisoned'\ntR.", data)


def dotted(data: bytes) -> bytes:
    """Reach os.system through a module of JAX."""
    return forged(b"\x80\x04\x8c\x0fjax._src.config\x8c\x09os.system\x93\x8c\x04true\x85R.", data)


def foreign_results(data: bytes) -> bytes:
    return forged(executable_of(data), data, [["subprocess", "Popen"], None, []])


POISON = {
    "empty": lambda data: b"",
    "other": lambda data: b"no program",
    "cut": lambda data: data[:-100],
    "flipped at the end": lambda data: flipped(data, -9),
    "flipped in the middle": lambda data: flipped(data, len(data) // 2),
    "another key": lambda data: data.replace(b'{"key": "', b'{"key": "0'),
    "another program's": lambda data: forged(
        executable_of(data), data.replace(b'": "', b'": "0', 1)
    ),
    "a bomb of zeros": lambda data: forged(bytes(2**24), data),
    "the format of before": lambda data: zlib.compress(pickle.dumps({"program": Bomb()})),
    "a plain pickle": lambda data: pickle.dumps(Bomb()),
    "a pickle with a digest": bomb,
    "os.system with a digest": system,
    "a dotted name": dotted,
    "other results": foreign_results,
    "no executable": lambda data: forged(pickle.dumps((1, 2, 3)), data),
}


@pytest.mark.slow
def test_a_file_that_was_changed_is_neither_run_nor_harmful(folder: Path, made: list[str]) -> None:
    before, given = picture(), (MODEL, jobs())
    (path,) = files(folder)
    cache, whole = ExecutableCache(folder), path.read_bytes()
    assert cache.load(path.stem, MESH, given) is not None
    for name, poison in POISON.items():
        path.write_bytes(poison(whole))
        assert cache.load(path.stem, MESH, given) is None, name
    assert Bomb.exploded == [] and not Path("/tmp/poisoned").exists()
    np.testing.assert_array_equal(picture(), before)
    np.testing.assert_array_equal(picture(), before)
    assert made == ["run_jobs"] * 2 and path.read_bytes() != poison(whole)


@pytest.mark.slow
def test_a_file_that_another_user_could_have_written_is_not_read(
    folder: Path, made: list[str]
) -> None:
    before = picture()
    (path,) = files(folder)
    path.chmod(0o660)
    np.testing.assert_array_equal(picture(), before)
    assert made == ["run_jobs"] * 2 and files(folder)[0].stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_a_folder_that_others_may_write_is_not_used(
    folder: Path, made: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    shared = folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    jax.config.update("jax_compilation_cache_dir", str(shared))
    picture()
    picture()
    assert made == ["run_jobs"] * 2 and not files(shared)
    assert [record.getMessage() for record in caplog.records] == [
        f"nothing is cached: other users may write into {shared} (chmod go-w {shared})"
    ]


@pytest.mark.slow
def test_a_full_disk_is_one_warning(
    folder: Path, made: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    picture()
    (path,) = files(folder)
    cache = ExecutableCache(folder)
    program = cache.load(path.stem, MESH, (MODEL, jobs()))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # no file can become longer
    try:
        cache.save("one", program)
        cache.save("two", program)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [record.getMessage() for record in caplog.records] == [
        f"cannot write into the cache {folder}: File too large"
    ]
    assert files(folder) == [path] and not list(folder.glob("*.partial"))


@pytest.mark.slow
def test_the_cache_moves_with_its_folder(folder: Path, made: list[str]) -> None:
    before = picture()
    moved = folder / "moved"
    moved.mkdir(0o700)
    for path in files(folder):
        path.rename(moved / path.name)
    jax.config.update("jax_compilation_cache_dir", str(moved))
    np.testing.assert_array_equal(picture(), before)
    assert made == ["run_jobs"]


@pytest.mark.slow
def test_the_least_recently_used_programs_are_deleted(folder: Path) -> None:
    picture()
    (first,) = files(folder)
    cache = ExecutableCache(folder, max_bytes=int(2.5 * first.stat().st_size))
    for age, name in enumerate(["newer", "older"], 1):
        path = folder / f"{name}.executable"
        path.write_bytes(first.read_bytes())
        os.utime(path, ns=(0, 10**9 * (3 - age)))
    os.utime(first, ns=(0, 0))
    given = MODEL, jobs()
    program = cache.load(first.stem, MESH, given)  # a use, which makes it the newest
    assert program is not None
    cache.save("saved", program)
    assert {path.stem for path in files(folder)} == {first.stem, "saved"}


@pytest.mark.slow
def test_verification_recompiles_and_compares(
    folder: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FVJAX_VERIFY_CACHE", "1")
    before = picture()
    np.testing.assert_array_equal(picture(), before)
    assert made == ["run_jobs"] * 2
    monkeypatch.setattr(ExecutableCache, "key", lambda *_: files(folder)[0].stem)
    with pytest.raises(RuntimeError, match="differs from a fresh compilation"):
        picture(optimizer="sgd")  # whose key is that of another program


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("jax_compilation_cache_dir", None),
        ("jax_compilation_cache_dir", "gs://bucket"),
        ("jax_enable_compilation_cache", False),
    ],
)
def test_where_jax_keeps_no_files_none_is_kept(setting: str, value: Any, folder: Path) -> None:
    before = getattr(jax.config, setting)
    jax.config.update(setting, value)
    try:
        assert ExecutableCache.from_jax_config(jax.config) is None
    finally:
        jax.config.update(setting, before)
    found = ExecutableCache.from_jax_config(jax.config)
    assert found is not None and found.folder == folder


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_no_harm(folder: Path, made: list[str]) -> None:
    place = folder / "file"
    place.write_text("not a folder")
    jax.config.update("jax_compilation_cache_dir", str(place / "programs"))
    assert np.isfinite(picture()).all()
    assert made == ["run_jobs"]


def test_xla_is_told_only_what_it_knows_and_the_user_does_not_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = compiler_options.__wrapped__
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.setattr(program, "_CPU_OPTIONS", {"xla_cpu_enable_fast_math": False, "no_such": 1})
    assert options("cpu") == {"xla_cpu_enable_fast_math": False}
    assert options("gpu") == {} == options("gpu", bfloat16=True)
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    assert options("cpu") == {}


def test_products_of_bfloat16_have_kernels_of_their_own_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XLA_FLAGS", "")
    options = compiler_options.__wrapped__
    wide, narrow = options("cpu"), options("cpu", bfloat16=True)
    assert wide.keys() == narrow.keys()
    kernels = {name for name in wide if wide[name] != narrow[name]}
    assert kernels == {"xla_cpu_experimental_ynn_fusion_type"} & wide.keys()
