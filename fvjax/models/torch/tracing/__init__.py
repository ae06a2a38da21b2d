"""The half that needs PyTorch: files here import it at once, and are imported where used."""
