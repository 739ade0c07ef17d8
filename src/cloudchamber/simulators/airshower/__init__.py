"""Air showers of cosmic rays: their development, an array of stations on the ground, and their radio pulses."""
