"""Simulators: the physics, with numpy and numba; pure functions of parameters, arrays and seeds."""
