"""Files: atomic writes, locks, caches and hashes of content."""
