"""`--format`: what a run found, told to machines."""
