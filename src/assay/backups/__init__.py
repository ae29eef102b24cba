"""Backups: restorable points, ciphertext, retention, locks, schedules, and what holds state."""
