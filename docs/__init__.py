"""The documentation: pages written by hand, and `docs.make`, which writes the others."""
