"""Faults, each with its rollback."""
