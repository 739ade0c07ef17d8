"""Explanations: what a network looked at, and checks that they explain anything."""
