"""Measurements: ratios against peers in one run, and the labelled diagnosis benchmark."""
