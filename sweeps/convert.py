"""`python -m sweeps.convert FILE.caffemodel [OUT.safetensors]`: Caffe's weights without Caffe.

Reads GoogLeNet (bvlc_googlenet.caffemodel) or SqueezeNet 1.1 and writes the tensors that
`model=googlenet` or `model=squeezenet` loads; heads that only training needs are left out.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from fvjax import checks
from fvjax.models import googlenet, squeezenet
from fvjax.models.caffe import params_of
from fvjax.models.caffemodel import read_caffemodel
from fvjax.models.weights import caffe_shapes, check_tensors
from sweeps.config.errors import run_cli
from sweeps.config.paths import CONF
from sweeps.storage.atomic import atomic_write

_METADATA = {"layout": "OIHW", "input": "BGR, 0..255, minus (104,117,123)"}
_NETWORKS: Mapping[str, tuple[Any, Mapping[str, str]]] = {
    "googlenet": (googlenet.GoogLeNet(), googlenet.NAMES),
    "squeezenet": (squeezenet.SqueezeNet(), squeezenet.NAMES),
}


def main(arguments: Sequence[str]) -> None:
    """Convert one file, and print the overrides that load the result."""
    parser = argparse.ArgumentParser(prog="python -m sweeps.convert", description=__doc__)
    parser.add_argument("file", type=Path, help="a .caffemodel of GoogLeNet or SqueezeNet 1.1")
    parser.add_argument("out", type=Path, nargs="?", help="by default FILE.safetensors")
    chosen = parser.parse_args(arguments)
    out = chosen.file.with_suffix(".safetensors") if chosen.out is None else chosen.out
    checks.choice("suffix of the file", out.suffix, (".safetensors",))
    if not out.parent.is_dir():
        raise ValueError(f"there is no folder {out.parent}")
    name, tensors = convert(chosen.file)
    with atomic_write(out) as partial:
        save_file(tensors, partial, _METADATA | {"source": chosen.file.name})
    print(f"{out}: {len(tensors)} tensors; model={name} model.weights={out}")


def convert(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    """Return the name of the network in a .caffemodel, and the tensors that the network needs."""
    found = read_caffemodel(path)
    wanted = {name: caffe_shapes(params_of(m), names) for name, (m, names) in _NETWORKS.items()}
    name = max(wanted, key=lambda name: len(wanted[name].keys() & found.keys()) / len(wanted[name]))
    shapes = wanted[name]
    if not shapes.keys() & found.keys():
        raise ValueError(f"{path} holds neither {' nor '.join(wanted)}")
    needed = {key: np.ascontiguousarray(found[key]) for key in found if key in shapes}
    return name, check_tensors(path, needed, shapes)


if __name__ == "__main__":
    sys.exit(run_cli(lambda: main(sys.argv[1:]), CONF))
