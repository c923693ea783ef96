"""Random nets, converted and compared with torch by MXNet alone: see tests/fuzz/__main__.py."""
