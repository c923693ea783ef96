"""torch's own tables of modules and ops, each sample converted and compared: see tests/conformance/__main__.py."""
