"""The config group `engine`: where the jobs of a sweep run. It is part of no job."""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from fvjax import checks

GROUP, INLINE = "engine", "inline"
OF_NO_JOB = ("hydra", GROUP)
"""The keys of a composed config that are part of neither a job nor its row."""

_NAMES = (INLINE, "ray", "submitit")


def engine_settings(config: DictConfig) -> dict[str, Any]:
    """Return the checked keys of the group.

    Raises:
        ValueError: a key is absent or has a wrong value, which the message names.
    """
    if GROUP not in config:  # a config of the user's, or ~engine
        return {"name": INLINE}
    container: Any = OmegaConf.to_container(config[GROUP], resolve=True)
    node: dict[str, Any] = container
    if "name" not in node:
        raise ValueError(f"every engine needs {GROUP}.name: do not remove it with ~{GROUP}.name")
    name = node["name"]
    checks.choice(f"{GROUP}.name", name, _NAMES)
    if name != INLINE and "workers" not in node:
        raise ValueError(f"{GROUP}.name={name}: choose the engine by {GROUP}={name}")
    for key in ("workers", "cpus_per_worker", "gpus_per_worker"):
        value = node.get(key)
        if key in node and not (value is None and (name, key) == ("ray", "workers")):
            checks.count(f"{GROUP}.{key}", value, least=0 if key == "gpus_per_worker" else 1)
    return node


def refuse_workers(config: DictConfig, reason: str) -> None:
    """Refuse any engine but `inline`.

    Raises:
        ValueError: the config names another engine.
    """
    name = engine_settings(config)["name"]
    if name != INLINE:
        raise ValueError(f"{GROUP}={name} starts workers, and {reason}")


def refuse_swept_engine(config: DictConfig, job_overrides: Sequence[Sequence[str]]) -> None:
    """Refuse jobs that choose an engine other than the sweep's.

    Args:
        config: the config of the command line.
        job_overrides: the overrides of each job.

    Raises:
        ValueError: a job has an override of the engine that the command line does not have.
    """
    parsed = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
    whole = {_key(one.get_key_element()) for one in parsed if not one.is_sweep_override()}
    for overrides in job_overrides:
        for text in overrides:
            key = _key(text.partition("=")[0])
            if key.partition(".")[0] == GROUP and key not in whole:
                raise ValueError(
                    f"{text}: a sweep has one engine, which its command names: {GROUP} cannot be "
                    "swept over"
                )


def _key(element: str) -> str:
    return element.lstrip("+~")
