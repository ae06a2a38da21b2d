"""A platform that does not start is named in one sentence, before anything else."""

import jax
import pytest

from sweeps.execution.jax_setup import require_platform


@pytest.mark.parametrize("reason", ["", "Unable to initialize backend 'cuda'"])
def test_a_platform_that_does_not_start_is_named(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def devices() -> None:
        raise AssertionError(reason)

    monkeypatch.setattr(jax, "devices", devices)
    with pytest.raises(ValueError, match="JAX cannot start the platform") as refused:
        require_platform()
    assert "JAX_PLATFORMS=cpu" in str(refused.value) and reason in str(refused.value)


def test_a_platform_that_starts_is_no_error() -> None:
    require_platform()
