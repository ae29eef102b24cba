"""The runbook, and the help pages of the tools that its commands call."""
