"""Planting violations on a lab, and what a violation may do."""
