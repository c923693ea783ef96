"""The page that `--report review.html` writes, in a real browser: `make test-browser`."""
