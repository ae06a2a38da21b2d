"""Objectives and penalties: pure functions of activations and a direction."""
