"""Keys that no config file can declare, such as the arguments of the user's own function."""

from collections.abc import Sequence

_FREE = ("model.arguments.",)


def allow_free_keys(arguments: Sequence[str]) -> list[str]:
    """The command line with Hydra's `++` before free keys, so that nobody has to type it."""
    return [f"++{one}" if one.startswith(_FREE) else one for one in arguments]
