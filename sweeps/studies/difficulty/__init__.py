"""`experiment=difficulty`: how the difficulty of a task changes units and pictures."""
