"""Converted nets in MXNet's own tools: trained, quantised, exported, served."""
