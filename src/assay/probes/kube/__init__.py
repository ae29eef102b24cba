"""The Kubernetes API, read."""
