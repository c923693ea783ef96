"""Names, given once: a Draft becomes a Program."""
