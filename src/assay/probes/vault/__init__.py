"""Vault, read."""
