"""Drills.

Faults on a running stack, with a journalled way back, judged by what a client outside was promised.
"""
