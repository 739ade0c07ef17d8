"""Metrics: functions of arrays that give a value, its error and the number of records behind it."""
