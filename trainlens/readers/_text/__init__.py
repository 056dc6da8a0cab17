"""Pieces of the text reader: a line, its place in the run, and whether a file is one."""
