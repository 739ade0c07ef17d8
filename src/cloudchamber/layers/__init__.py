"""Building blocks of networks: convolutions on the sphere and on clouds, gates, pooling, standardisation."""
