"""Simulate an experiment, learn from it, explain what was learned, generate new events."""

__version__ = "0.1.0"
