"""What Hydra calls: the application, the launch of a multirun and its callbacks."""
