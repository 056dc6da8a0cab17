"""Pieces of the CatBoost reader: the JSON log, the tables, and merging the two."""
