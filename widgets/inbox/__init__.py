"""The people's side of conversations."""
