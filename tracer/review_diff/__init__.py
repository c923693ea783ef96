"""`fx2mx report-diff`: reports are read back, and what changed from one to the other is told."""
