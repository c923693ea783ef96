"""A stand-in for torchvision: see tests/vision/__init__.py."""
