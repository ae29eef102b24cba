"""What a client does during a drill, and the verdict on what it saw."""
