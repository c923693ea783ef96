"""The program becomes functions and loops, along the hierarchy of the source."""
