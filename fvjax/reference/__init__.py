"""Statistics of a network's activations on reference images."""
