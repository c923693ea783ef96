"""`python -m tracer.compare SPEC PREFIX`."""

from tracer.compare.cli import compare

if __name__ == "__main__":
    compare.main(prog_name="python -m tracer.compare")
