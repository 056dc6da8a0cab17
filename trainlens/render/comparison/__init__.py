"""A comparison for a terminal, as Markdown, LaTeX, CSV and JSON.

`blocks` and `headline` are what the outputs for people share: its parts, and its verdict.
"""

from trainlens.render._cells import Table
from trainlens.render.comparison._blocks import Block, blocks, in_report
from trainlens.render.comparison._words import headline
from trainlens.render.comparison.text import kept

__all__ = ["Block", "Table", "blocks", "headline", "in_report", "kept"]
