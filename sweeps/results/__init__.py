"""The table of results and what is drawn from it."""
