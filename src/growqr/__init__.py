"""One durable Grow Agent per person."""

__version__ = "0.1.0"
