"""Tracing of PyTorch modules; these files import PyTorch, and are imported only where used."""
