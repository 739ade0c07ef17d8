"""Data: files on disk, records, splits, a user's own files, and how events become what networks learn from."""
