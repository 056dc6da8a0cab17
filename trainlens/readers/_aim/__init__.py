"""Pieces of the AIM reader: the store, its encodings, and what they mean."""
