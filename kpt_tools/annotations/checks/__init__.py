"""What is probably wrong with annotations that can be read: one small module per theme, pure functions."""
