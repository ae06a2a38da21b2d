"""The first pictures, from Python: one neuron under several objectives, and a photograph's vector.

`python examples/first_picture.py` writes neuron.png; with a PHOTO also photograph.png.
"""

import sys

import matplotlib.pyplot as plt

import fvjax
from fvjax.sources import Photo

model = fvjax.load("texturenet")
objectives = {
    "dot": fvjax.Dot(),
    "dot x cosine²": fvjax.DotCosine(exponent=2),
    "cosine": fvjax.Cosine(),
}
jobs = [fvjax.job(model, layer="conv4", channel=3, objective=o) for o in objectives.values()]
results = fvjax.visualize_many(model, jobs, progress=print)

figure, axes = plt.subplots(1, len(results))
for axis, name, result in zip(axes, objectives, results, strict=True):
    axis.imshow(result.image)
    axis.set(title=f"{name}\ncosine {result.history['cosine'][-1]:.2f}", xticks=[], yticks=[])
figure.savefig("neuron.png")

if len(sys.argv) > 1:  # the activation vector of a photograph's centre: lucid issue 116
    job = fvjax.job(model, layer="conv5", direction=Photo(path=sys.argv[1]))
    plt.imsave("photograph.png", fvjax.visualize(model, job).image)
