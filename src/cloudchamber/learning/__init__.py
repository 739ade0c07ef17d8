"""Predictors and generators that are networks, and the ways in which networks learn."""
