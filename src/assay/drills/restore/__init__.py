"""Restores from object storage into an empty place, timed."""
