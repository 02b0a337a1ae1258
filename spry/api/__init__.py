"""The Python face of spry."""
