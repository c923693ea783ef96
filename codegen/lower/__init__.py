"""An IR graph becomes a Program: a rule for each node, then names for all."""
