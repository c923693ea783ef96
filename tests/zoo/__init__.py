"""The zoo: nets of public collections, built from seeded random parameters; nothing is downloaded."""
