"""Collisions of nuclei below 200 MeV per nucleon: Boltzmann-Langevin transport, fragments, de-excitation."""
