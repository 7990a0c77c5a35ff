"""The command line, the settings, and the embedded broker and Redis."""

__version__ = "0.1.0"
