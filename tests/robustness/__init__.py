"""Damage, cuts, growth and hostile files: the same checks for every format.

A format takes part by one module in `formats`. What a log must yield is in `truth`, how it is
damaged in `mutations`, what has to hold afterwards in `checks`.
"""
