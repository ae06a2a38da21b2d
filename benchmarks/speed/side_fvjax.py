"""Our side: a setting as one compiled program, on GoogLeNet with random weights."""

import time
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from safetensors.numpy import save_file
from work import THREADS, Setting, Timing, awakening, pattern, timing

import fvjax
from fvjax.models.googlenet import NAMES, GoogLeNet
from fvjax.models.model import Record
from fvjax.optimization.recipe import as_leaves, stack_jobs
from sweeps.execution.batched import run_jobs
from sweeps.execution.compile import shard_jobs
from sweeps.execution.programs import MAX_JOBS_PER_CPU_DEVICE

# As the application does; before JAX starts.
jax.config.update("jax_num_cpu_devices", THREADS)


def write_weights(path: str, layer: str) -> str:
    """Write random weights (He's) for BVLC GoogLeNet, with active units in `layer`."""

    def initialise(key: Any, image: Any) -> Any:
        return GoogLeNet().init(key, image, Record({}, False))["params"]

    image = jax.ShapeDtypeStruct((224, 224, 3), jnp.float32)
    shapes = jax.eval_shape(initialise, jax.random.key(0), image)
    random = np.random.default_rng(0)
    tensors = {}
    for name, params in shapes.items():
        *space, features = params["kernel"].shape
        kernel = random.normal(size=(*space, features))
        kernel -= kernel.mean(tuple(range(len(space))))
        if name.startswith(layer) and not name.endswith("_reduce"):
            kernel += awakening(int(np.prod(space)))
        kernel *= np.sqrt(2 / np.prod(space))
        axes = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
        tensors[f"{NAMES[name]}/weight"] = np.ascontiguousarray(kernel.transpose(axes), np.float32)
        bias = 0.1 * random.normal(size=features)
        tensors[f"{NAMES[name]}/bias"] = bias.astype(np.float32)
    save_file(tensors, path)
    return path


@lru_cache
def load(weights: str, precision: str = "float32", network: str = "googlenet") -> fvjax.Model:
    """Return the network, loaded once: GoogLeNet with these weights, or an imported one's file."""
    own = network == "googlenet"
    model = fvjax.load(network, weights=Path(weights)) if own else fvjax.load(weights)
    return model.in_precision(precision)


def job(index: int, setting: Setting, channels: int) -> fvjax.Job:
    """Lucent's defaults: the mean activation of a channel, standard transforms, Adam at .05."""
    recipe = fvjax.Recipe(
        objective=fvjax.DotCosine(exponent=0.0, floor=0.1),
        parameterization=fvjax.Fourier(
            image_size=setting.size, stddev=0.01, decay_power=1.0, decorrelate=True
        ),
        transform=fvjax.Standard(jitter=8, scale=0.1, rotation=10, late_jitter=4, fill=0.5),
        learning_rate=0.05,
        steps=setting.steps,
        optimizer="adam",
    )
    vector = jnp.zeros(channels).at[index].set(1.0)
    direction = fvjax.Direction(vector=vector, layer=setting.layer)
    return as_leaves(fvjax.Job(recipe=recipe, direction=direction, key=jax.random.key(index)))


def loop(model: fvjax.Model, jobs: fvjax.Job) -> tuple[Any, Any]:
    """Images and history, as a peer keeps them."""
    result = run_jobs(model, jobs)
    return result.image, result.history


@lru_cache
def prepared(setting: Setting, weights: str) -> tuple[Any, float]:
    """Return a function that runs all batches as the executor does, and the compile seconds."""
    model = load(weights, setting.precision, setting.network)
    channels = model.layers[setting.layer][-1]
    jobs = [job(i, setting, channels) for i in range(setting.batch)]
    devices = np.array(jax.devices()[: setting.batch])
    size = min(MAX_JOBS_PER_CPU_DEVICE * len(devices), setting.batch)
    batches = [stack_jobs(jobs[i : i + size]) for i in range(0, setting.batch, size)]
    begin = time.perf_counter()
    mesh, narrow = Mesh(devices, ("jobs",)), setting.precision == "bfloat16"
    jitted = shard_jobs(loop, mesh, 1, bfloat16=narrow)
    program = jitted.lower(model, batches[0]).compile()
    seconds = time.perf_counter() - begin
    return lambda: [program(model, jobs) for jobs in batches], seconds


def warm(setting: Setting, weights: str) -> float:
    """Compile and run once; seconds to compile."""
    program, seconds = prepared(setting, weights)
    jax.block_until_ready(program())
    return seconds


def run(setting: Setting, weights: str) -> Timing:
    """One round."""
    program, _ = prepared(setting, weights)
    begin = time.perf_counter()
    made = jax.block_until_ready(program())
    seconds = time.perf_counter() - begin
    scores = np.concatenate([history["score"] for _, history in made])
    return timing(seconds, scores.sum(0).tolist())


def means(setting: Setting, weights: str) -> list[float]:
    """Return the mean of each channel of the layer over the fixed image."""
    model = load(weights, network=setting.network)
    y = jax.jit(lambda model, image: model(image)[setting.layer])(model, pattern(setting.size))
    return y.reshape(-1, y.shape[-1]).mean(0).tolist()


def flops(setting: Setting, weights: str) -> float:
    """Multiplications and additions of the convolutions of one image forward to the layer."""
    model = load(weights)
    total = 0
    for name, shape in model.shapes((setting.size, setting.size)).items():
        layer = name.removesuffix("_pre_relu")
        if name != layer and layer in model.weights:
            total += 2 * int(np.prod(shape[:2])) * model.weights[layer]["kernel"].size
        if name == setting.layer:
            break
    return float(total)


def versions() -> dict[str, str]:
    """Of what runs here."""
    return {name: version(name) for name in ("fvjax", "jax", "jaxlib", "flax")}
