"""Model files as users write them: each is converted through the command line by tests/test_nets.py."""
