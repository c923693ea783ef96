"""Nets of tests/test_fuzz.py that fail: by seed the kind, and the reason. To be emptied: a net that no longer fails is a failure."""

KNOWN: dict[int, tuple[str, str]] = {}
