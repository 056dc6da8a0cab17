"""Pieces of the CSV reader: lines to rows, headers to layouts, cells to numbers, rows to points."""
