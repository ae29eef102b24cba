"""Load: the schedule, the generator process, and the verdict on its results."""
