"""The ground truth of planted models: contents of a grey image, of oracles and of references."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import fvjax
from fvjax.metrics.ground_truth import GroundTruth, content
from fvjax.models.model import Model
from fvjax.models.planted import network, planted
from fvjax.optimization.recipe import Job, Recipe, as_leaves, stack_jobs
from fvjax.optimization.visualize import visualize
from fvjax.reference.activation_statistics import ReferenceStatistics, fingerprint
from fvjax.reference.moments import forward
from fvjax.sources import Setup
from fvjax.sources.planted import picture
from fvjax.transforms import Identity
from sweeps.planning.parameterization import parameterization_of
from sweeps.planning.reference import load_reference_statistics
from sweeps.storage.array_cache import ArrayCache, digest
from sweeps.storage.cache_folder import cache_folder

STEPS, RATE = 256, 0.05  # of the oracle
SEED = 2**32 - 1  # of the oracle's first image; no job has this seed
_LAYERS = ("features", "decoys")
_VERSION = 1


def truth_of(cfg: Mapping[str, Any], setup: Setup) -> GroundTruth | None:
    """Return the truth for a config, the same object for all worlds; None for other models.

    The oracle reads the detectors themselves and has the job's size, position and
    parameterization; it maximises a feature less what is orthogonal to it. Gratings are rendered.
    """
    if setup.model.network is not network:
        return None
    return _truth(
        cfg["model"]["orientations"],
        setup.image_size,
        json.dumps(cfg["position"]),
        json.dumps(cfg["parameterization"], sort_keys=True),
        cfg["reference_images"],
        cfg["reference_count"],
    )


@cache
def _truth(
    orientations: int,
    size: tuple[int, int],
    position: str,
    parameterization: str,
    images: str | None,
    count: int,
) -> GroundTruth:
    bank = Setup(_bank(orientations), "features", size, json.loads(position))
    config = json.loads(parameterization)
    recipe = Recipe(
        objective=fvjax.Dot() - 1.0 * fvjax.OrthogonalNorm(),
        parameterization=parameterization_of(config, size),
        transform=Identity(),
        learning_rate=RATE,
        steps=STEPS,
    )
    cache = ArrayCache(cache_folder("truth"))
    key = f"oracle-{fingerprint(bank.model)[:12]}-{_digest(size, position, parameterization)}"
    oracle = cache.get(key, {}).get("oracle")
    if oracle is None or oracle.shape != (bank.channels(),) * 2 or not np.isfinite(oracle).all():
        oracle = np.asarray(_oracle(bank, recipe))
        cache[key] = {"oracle": oracle}
    grey = content(bank.model(jnp.full((*size, 3), 0.5)), bank.place())
    reference = load_reference_statistics(bank.model, images, count, size)
    maps = None if reference is None else jnp.asarray(_maps(reference))
    gratings = jnp.stack(
        [
            content(bank.model(jnp.asarray(picture([k], size, orientations))), bank.place())
            for k in range(bank.channels())
        ]
    )
    return GroundTruth(grey=grey, oracle=jnp.asarray(oracle), gratings=gratings, maps=maps)


@cache
def _bank(orientations: int) -> Model:
    return planted(geometry="orthogonal", severity=0.0, orientations=orientations)


def _digest(*parts: Any) -> str:
    return digest(_VERSION, STEPS, RATE, *parts)


def _oracle(bank: Setup, recipe: Recipe) -> Float[Array, "images features"]:
    """Return the content of the image that the oracle makes for each feature."""
    place, key = bank.place(), jax.random.key(SEED)
    directions = [
        fvjax.Direction(vector=row, layer=bank.layer, position=place)
        for row in jnp.eye(bank.channels())
    ]
    jobs = [as_leaves(Job(recipe=recipe, direction=d, key=key)) for d in directions]

    @jax.jit
    def run(model: Model, jobs: Job) -> Array:
        def content_of(job: Job) -> Array:
            return content(model(visualize(model, job).image), place)

        return jax.vmap(content_of)(jobs)

    contents: Array = run(bank.model, stack_jobs(jobs))
    return contents


def _maps(reference: ReferenceStatistics) -> Float[np.ndarray, "images height width detectors"]:
    """Return the detectors' values on the reference images."""

    def compute() -> dict[str, np.ndarray]:
        parts = []
        for batch in reference.require_images("the truth of a planted model"):
            maps = forward(reference.model, jnp.asarray(batch.images), _LAYERS)
            parts.append(np.concatenate([np.asarray(maps[layer]) for layer in _LAYERS], -1))
        return {"maps": np.concatenate(parts)}

    layers = reference.model.shapes(reference.images.image_size)
    height, width, _ = layers[_LAYERS[0]]
    detectors = sum(layers[layer][-1] for layer in _LAYERS)
    shapes = {"maps": (reference.image_count, height, width, detectors)}
    return reference.stored.get_or_compute("maps of detectors", compute, shapes)["maps"]
