"""Digital Human: an open serving stack for talking portraits."""

__version__ = "0.1.0"
