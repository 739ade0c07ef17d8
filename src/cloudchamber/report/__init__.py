"""Figures, tables and the one self-contained HTML page of a run, made from what lies in its directory alone."""
