"""Look at uploaded files: what they are, how many, what they look like."""
