"""Experiments: settings, truth, learners and rows that several studies of one system share."""
