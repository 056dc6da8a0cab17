"""The page in a browser beside Plotly's and Bokeh's: making it, size, first answer, hover, zoom."""

from benchmarks.page.results import results

__all__ = ["results"]
