"""Metrics of finished images, and the ground truth of planted models."""
