"""Object storage, read."""
