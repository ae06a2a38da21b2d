"""Networks of PyTorch: `from_torch` traces a module once, into a model that needs only JAX."""

from fvjax.models.torch.graph import Graph as Graph
from fvjax.models.torch.importer import from_torch as from_torch
from fvjax.models.torch.interpret import GraphNetwork as GraphNetwork
from fvjax.models.torch.save import load as load
from fvjax.models.torch.save import save as save
