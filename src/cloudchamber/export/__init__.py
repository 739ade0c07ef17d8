"""Trained networks as files for other programs, compared with PyTorch before anything is left behind."""
