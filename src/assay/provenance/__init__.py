"""Where a secret came from: what looks like one, marks that compare without showing, and the ladder.

Pure judgement over facts; nothing here reads a platform.
"""
