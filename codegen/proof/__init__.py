"""Both frameworks are run and compared."""
