"""The studies, one file each: every one ends with ``study = ...``; nothing imports them but the registry."""
