"""The Talos machine API and machine configurations, read."""
