"""Read-only facts, one module per system, one client library each."""
