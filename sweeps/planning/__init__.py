"""From a composed config to a task that is ready to run."""
