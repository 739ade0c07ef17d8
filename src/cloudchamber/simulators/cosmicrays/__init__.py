"""Ultra-high-energy cosmic rays: spectrum, exposure, sources, and deflection in the Galactic magnetic field."""
