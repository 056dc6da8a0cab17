"""Pieces of the MLflow reader: the file store, the SQLite store, and what both say of a run."""
