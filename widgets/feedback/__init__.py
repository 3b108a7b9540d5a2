"""What visitors think of the answers."""
