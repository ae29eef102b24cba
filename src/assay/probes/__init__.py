"""Read-only facts about a platform and its sources: one package per system, one client library each."""
