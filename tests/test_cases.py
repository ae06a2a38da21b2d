"""`cases.py` holds an instance of every class that a user can put into a job."""

import inspect
from typing import Any

import cases

from fvjax import parameterizations, transforms
from fvjax.objectives.objective import Objective, parts


def subclasses(cls: type) -> set[type]:
    """Return the classes of fvjax below `cls`, at any depth."""
    found = {one for child in cls.__subclasses__() for one in {child, *subclasses(child)}}
    return {one for one in found if one.__module__.startswith("fvjax.")}


def public_classes(module: Any) -> set[type]:
    """Return the pytree classes that a module exports, its protocol left out."""
    classes = {value for _, value in inspect.getmembers(module, inspect.isclass)}
    return {one for one in classes if hasattr(one, "class_")}


def test_every_objective_is_a_case() -> None:
    held = (cases.OBJECTIVES, cases.BATCH_PENALTIES, cases.ALPHA_PENALTIES, cases.USER_OBJECTIVES)
    instances = [one for group in held for one in group.values()]
    found = {type(part) for one in instances for part in parts(one)}
    assert subclasses(Objective) - found == set()


def test_every_parameterization_is_a_case() -> None:
    classes = public_classes(parameterizations)
    assert len(classes) >= 5
    assert classes - {type(one) for one in cases.PARAMETERIZATIONS.values()} == set()


def test_every_transform_is_a_case() -> None:
    classes = public_classes(transforms)
    assert len(classes) >= 4
    for held in (cases.TRANSFORMS, cases.STILL):
        assert classes - {type(one) for one in held.values()} == set()
