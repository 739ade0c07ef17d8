"""Simulators as programs of their own, in the idiom of the program that their field knows."""
