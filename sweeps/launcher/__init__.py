"""The entry points that Hydra calls: the application, multiruns and callbacks."""
