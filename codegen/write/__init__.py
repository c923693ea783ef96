"""The folded program becomes the text of model_mxnet.py."""
