"""Jobs that are built together share parts and are the jobs that are built alone."""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.config.composed import Composed
from sweeps.config.enumerate_jobs import jobs_of
from sweeps.execution.grouping import group_tasks
from sweeps.planning.build import Builder, build
from sweeps.planning.plan import build_all
from sweeps.storage.content_hash import hash_arrays
from sweeps.task import Task

TINY = ["model=tiny", "steps=4", "reference_images=generated", "reference_count=8"]
SWEEPS = [
    ["objective=dot,cosine", "direction.index=0,1", "seed=0,1", "learning_rate=0.1,0.2"],
    ["position=all,[1,2]", "layer=conv1,conv2", "snapshots=[],[1,2]", "penalty=none,orthogonal"],
    ["direction=random", "direction.seed=0,1", "metrics=none", "steps=2,3", "octaves=1,2"],
    ["space=plain,whitened", "parameterization=fourier,maco", "objective.sign=1,-1"],
    ["objective=differential", "direction=logit", "judge=tiny,null", "+mine=3"],
    ["penalty=[orthogonal,mahalanobis],mahalanobis", "transform=none,random_crop", "seed=1,2"],
]
BASES = [
    [],
    ["objective=softmax", "direction=random", "parameterization=maco", "penalty=mahalanobis"],
    ["objective=joint", "direction.index=[0,1]", "penalty=[irrelevant,orthogonal,blur]"],
    ["space=whitened", "parameterization=pixels", "transform=random_crop", "optimizer=lbfgs"],
    ["objective=match", "objective.count=4", "images_per_job=2", "penalty=diversity"],
    ["direction=interpolate", "images_per_job=2", "parameterization=cppn", "judge=tiny"],
]
# Other values of a key, by the type of the value that it has; some are refused, and must be alike.
OTHERS: dict[type, list[Any]] = {
    bool: [True, False],
    int: [3, 1.0],
    float: [0.5, "0.5"],
    str: ["conv1", "center", "sgd"],
    list: [[1], 3],
    type(None): [1, "conv1"],
}


def described(task: Task) -> Any:
    trees = (task.model, task.job, task.job_inputs, task.shared_inputs, task.info.direction)
    rest = {f.name: getattr(task, f.name) for f in fields(task)}
    plain = {k: v for k, v in rest.items() if isinstance(v, str | bool | dict | None)}
    info = {k: v for k, v in vars(task.info).items() if not isinstance(v, np.ndarray)}
    info.pop("direction")
    projections = task.info.reference_projections
    return [
        [hash_arrays(tree) for tree in trees],
        [jax.tree.structure(tree) for tree in trees[1:]],
        repr(plain),
        repr(info),
        None if projections is None else projections.tobytes(),
    ]


def outcome(builder: Builder, config: Composed) -> Any:
    """The task in a form that compares, or the sentence with which it is refused."""
    before = repr(config)
    try:
        return described(builder.build(config))
    except Exception as error:
        return type(error), str(error)
    finally:
        assert repr(config) == before


def paths(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        yield from paths(value, (*path, key)) if isinstance(value, dict) else [(*path, key)]


def varied(config: Composed, path: tuple[str, ...], value: Any) -> Composed:
    def changed(node: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        key, *rest = path
        return node | {key: changed(node[key], tuple(rest)) if rest else value}

    return replace(config, values=changed(config.values, path))


def at(config: Composed, path: tuple[str, ...]) -> Any:
    node: Any = config.values
    for key in path:
        node = node[key]
    return node


def variations(config: Composed) -> Iterator[tuple[tuple[str, ...], Composed]]:
    """The config with another value in one key, for each key and several values."""
    for path in paths(config.values):
        if path[-1] != "_target_":
            now = at(config, path)
            for value in OTHERS[type(now)]:
                if repr(value) != repr(now):
                    yield path, varied(config, path, value)


def marked(overrides: list[str]) -> Any:
    return pytest.param(overrides, marks=[pytest.mark.slow] * bool(overrides))


@pytest.mark.parametrize("overrides", [*map(marked, BASES)], ids=lambda base: " ".join(base))
def test_jobs_that_differ_in_one_key_are_those_that_are_built_alone(overrides: list[str]) -> None:
    (base,) = jobs_of([*TINY, *overrides]).configs
    forwards, backwards, decisive = Builder(), Builder(), set()
    first = outcome(forwards, base)
    assert isinstance(first, list), first
    for path, other in variations(base):
        alone = outcome(Builder(), other)
        assert outcome(forwards, other) == alone, path
        assert outcome(backwards, other) == alone, path
        if isinstance(alone, list) and alone != first:
            decisive.add(path)
    assert outcome(backwards, base) == first
    assert len(decisive) > 20, decisive


@settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_jobs_that_differ_in_several_keys_are_those_that_are_built_alone(data: Any) -> None:
    (base,) = jobs_of(["model=tiny", "steps=4"]).configs
    others = {
        ".".join(path): [at(other, path) for p, other in variations(base) if p == path]
        for path, _ in variations(base)
        if path[0] != "model"
    }
    builder = Builder()
    keys = st.lists(st.sampled_from(sorted(others)), max_size=3, unique=True)
    for _ in range(6):
        job = base
        for key in data.draw(keys):
            job = varied(job, tuple(key.split(".")), data.draw(st.sampled_from(others[key])))
        assert outcome(builder, job) == outcome(Builder(), job)


@pytest.mark.parametrize("overrides", SWEEPS, ids=lambda base: " ".join(base))
def test_a_sweeps_jobs_are_those_that_are_built_alone(overrides: list[str]) -> None:
    jobs = jobs_of([*TINY, *overrides])
    together = build_all(jobs.configs, jobs.overrides)
    alone = [build(config) for config in jobs.configs]
    assert list(map(described, together)) == list(map(described, alone))
    groups = [[g.members for g in group_tasks(tasks)] for tasks in (together, alone)]
    assert groups[0] == groups[1]


def test_what_jobs_share_is_built_once() -> None:
    jobs = jobs_of(["model=tiny", "direction.index=0,1", "seed=range(0,3)"])
    tasks = build_all(jobs.configs, jobs.overrides)
    assert len({id(task.info) for task in tasks}) == 2
    assert len({id(task.job.recipe) for task in tasks}) == 2
    assert len({id(task.job.key) for task in tasks}) == 3


def test_a_file_that_has_changed_is_read_by_the_next_sweep(tmp_path: Path) -> None:
    path = tmp_path / "vector.npy"
    vectors = []
    for value in (1.0, 2.0):
        np.save(path, np.full(16, value, np.float32))
        jobs = jobs_of(["model=tiny", "direction=vector", f"direction.path={path}", "seed=0,1"])
        tasks = build_all(jobs.configs, jobs.overrides)
        vectors += [np.asarray(task.job.direction.vector) for task in tasks]
    assert np.array_equal(vectors[0], vectors[1]) and not np.array_equal(vectors[1], vectors[2])
