"""Recorders: what a training loop writes while it runs."""
