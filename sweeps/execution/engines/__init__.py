"""Engines: what starts workers elsewhere, gives them portions and hears of their ends."""
