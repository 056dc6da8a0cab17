"""Fuzz targets: one module for each format whose bytes trainlens takes apart itself."""
