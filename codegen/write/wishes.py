"""What the author's source would call a value."""

from __future__ import annotations

# Names of variables are cut to their last word at this length.
LONG_NAME = 25
