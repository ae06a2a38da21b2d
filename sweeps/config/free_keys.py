"""Keys that no config file can declare: arguments of the user's own function, or of an engine."""

from collections.abc import Sequence

_FREE = ("model.arguments.", "engine.parameters.", "engine.arguments.")


def allow_free_keys(arguments: Sequence[str]) -> list[str]:
    """Return the command line with Hydra's prefix `++` added to free keys."""
    return [f"++{text}" if text.startswith(_FREE) else text for text in arguments]
