"""Before the first run: a profile written from what is there (`init`), and what it still lacks (`doctor`)."""
