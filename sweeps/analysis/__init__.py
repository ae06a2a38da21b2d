"""Statistics of a table of results."""
