"""The state machine of a drill: journal, signals, watchdog."""
