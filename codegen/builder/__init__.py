"""What a rule writes with."""
