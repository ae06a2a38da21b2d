"""The commands beside the application, and the help of those that take Hydra's overrides."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from sweeps.config.paths import CONF

COMMANDS = {
    "compare": "arms of a sweep against a baseline, with intervals",
    "leaderboard": "which objective is best, each at settings chosen on other directions",
    "report": "one HTML file with a sweep's pictures and numbers",
    "figure": "chosen pictures of a sweep in one file",
    "retrieve": "rank reference images by objectives, optimizing nothing",
    "statistics": "compute and keep the statistics of layers on reference images",
    "layers": "the layers of a network, their shapes, and its classes",
    "convert": "Caffe's weights as .safetensors",
}
_HELP = ("--help", "-h")


def help_requested(arguments: Sequence[str], description: str | None) -> bool:
    """Print the help of a command that takes overrides, if the arguments ask for it.

    Args:
        arguments: the command line after the command's name.
        description: the docstring of the command's module.

    Returns:
        Whether the help was printed, so that nothing else is left to do.
    """
    if not any(one in _HELP for one in arguments):
        return False
    print(f"{description}\n{keys_help(CONF)}")
    return True


def keys_help(config_dir: Path) -> str:
    """List the config groups with their options, and the keys of the top level with defaults."""
    groups = sorted(path for path in config_dir.iterdir() if path.is_dir())
    lines = ["Groups (GROUP=OPTION):"]
    for group in groups:
        options = ", ".join(sorted(path.stem for path in group.glob("*.yaml")))
        lines.append(f"  {group.name}: {options}")
    config = OmegaConf.load(config_dir / "config.yaml")
    defaults = OmegaConf.to_container(config, resolve=False)
    assert isinstance(defaults, dict)
    lines.append("Keys (KEY=VALUE), with their defaults:")
    lines += [
        f"  {key!s}={'null' if value is None else value}"
        for key, value in defaults.items()
        if key not in ("defaults", "hydra")
    ]
    return "\n".join(lines)
