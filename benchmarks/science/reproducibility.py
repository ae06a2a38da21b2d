"""How far an image depends on batch size and device count: equal at first, then rounding grows.

Runs the same TextureNet jobs in batches of 16, 4 and 1 on one device and in batches of 16 on four
simulated devices, and prints the largest difference in pixels and in score from the first.
"""

import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"

import jax
import numpy as np

import fvjax
from fvjax.sources import DirectionInfo
from sweeps.execution.executor import Executor
from sweeps.execution.grouping import group_tasks
from sweeps.task import Task


def run(devices: int, batch_size: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and scores of sixteen jobs."""
    model = fvjax.load("texturenet")
    jobs = [fvjax.job(model, layer="conv4", channel=i, steps=steps, seed=i) for i in range(16)]
    tasks = [Task(model, j, DirectionInfo(j.direction, "", "vector")) for j in jobs]
    (group,) = group_tasks(tasks)
    executor = Executor(jax.devices()[:devices])
    results = [
        outcome.result
        for ended in executor.execute(group, tasks, batch_size)
        for _, outcome in ended
    ]
    return np.stack([r.image for r in results]), np.stack([r.final_score for r in results])


if __name__ == "__main__":
    print("steps  devices  batch_size  largest difference: pixel  score (relative)")
    for steps in (8, 192):
        images, scores = run(1, 16, steps)
        for devices, batch_size in ((1, 16), (1, 4), (1, 1), (4, 16)):
            others, values = run(devices, batch_size, steps)
            pixel = np.abs(images - others).max()
            score = (np.abs(scores - values) / np.abs(scores)).max()
            print(f"{steps:5d}  {devices:7d}  {batch_size:5d}  {pixel:25.1e}  {score:16.1e}")
