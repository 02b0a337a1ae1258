"""spry: runbooks in Markdown that run."""

__version__ = "0.1.0"
