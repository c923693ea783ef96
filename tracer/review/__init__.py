"""The review: what a reviewer of generated code asks, as data and as text."""
