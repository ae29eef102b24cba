"""Drills: faults on a running stack, with a journalled rollback, judged by what a client was promised."""
