"""A port that somebody wrote by hand, or edited after, is compared with torch: where it parts, and why."""
