"""From a command line to valid configs."""
