"""Pieces of the JSON Lines reader: decoding, records, and the axes that they stand on."""
