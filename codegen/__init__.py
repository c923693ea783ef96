"""The MXNet side of fx2mx: an IR becomes code, weights and proof."""
