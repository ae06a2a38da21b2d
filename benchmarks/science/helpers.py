"""Do pictures excite strong helpers or many slight ones? `trivial_share` of a sweep's pictures.

Prints, for each arm against the baseline, `trivial_share` of the layer before (less is better) and
`occlusion_support`, the share of the image's patches that carry the dot product. Directions are
those of `direction=channel`, one channel each.
"""

import argparse
import io
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image
from rich.console import Console

import fvjax
import sweeps
from fvjax.metrics.trivial_share import trivial_share
from sweeps.analysis.comparison import compare
from sweeps.results.number_table import number_table

SHOWN = ["arm", "pairs", "directions", "mean", "mean_baseline", "difference", "low", "high"]


def main() -> None:
    """Measure every picture, and compare the arms."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", help="of a sweep with direction=channel")
    parser.add_argument("--model", default="texturenet", help="a network of fvjax.load")
    parser.add_argument("--weights", help="file of the network's weights")
    parser.add_argument("--by", nargs="+", default=["objective", "penalty"])
    parser.add_argument("--baseline", default="dot")
    given = parser.parse_args()
    model = fvjax.load(given.model, **({"weights": given.weights} if given.weights else {}))
    results = sweeps.load(given.directory)
    results = results[results["image"].notna()].reset_index(drop=True)
    measure = jax.jit(trivial_share)
    shares = []
    rows: Any = results.itertuples()
    for row in rows:
        channels = model.shapes(model.image_size)[row.layer][-1]
        vector = jax.nn.one_hot(row.direction_index, channels)
        with Image.open(io.BytesIO(row.image["bytes"])) as picture:
            image = jnp.asarray(np.asarray(picture.convert("RGB"), np.float32) / 255)
        direction = fvjax.Direction(vector=vector, layer=row.layer)
        shares.append(float(measure(model, direction, image)))
    table = results.assign(trivial_share=shares)
    found = compare(table, given.by, ["trivial_share", "occlusion_support", "dot"], given.baseline)
    for metric, part in found.groupby("metric", sort=False):
        Console(width=180).print(number_table(part[[*SHOWN, "p_holm", "effect"]], str(metric)))


if __name__ == "__main__":
    main()
