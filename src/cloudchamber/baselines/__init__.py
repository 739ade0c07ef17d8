"""Baselines: the physicist's methods, plain statistical learners, and the floors of every table."""
