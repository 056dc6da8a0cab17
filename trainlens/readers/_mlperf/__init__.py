"""Pieces of the MLPerf reader: lines to records, records to points."""
