"""A run: pytest plugin, session, verdicts, gate, evidence, reports."""
