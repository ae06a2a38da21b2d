"""Arrays, photographs and generated images."""
