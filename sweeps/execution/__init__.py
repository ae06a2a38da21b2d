"""From tasks to results on the host: groups, batches, compiled programs."""
