"""Arrays, photographs and generated images: what is read or made outside a network."""
