"""Nets of tests/test_fuzz.py that fail: by seed the kind, and the reason. To be emptied: a net that no longer fails is a failure."""

KNOWN: dict[int, tuple[str, str]] = {
    144: (
        "wrong: value",
        "a write through x.T into what a view of another shape reads",
    ),
    149: (
        "does not bind: ../src/operator/tensor/./matrix_op-inl.h:#: Check failed: (*begin < *end): Inval",
        "x[:-1] at batch 1 is empty: not refused",
    ),
}
