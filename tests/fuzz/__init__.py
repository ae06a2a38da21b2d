"""Random and broken files for every reader of the package (`make fuzz`)."""
