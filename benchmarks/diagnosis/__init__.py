"""The labelled diagnosis benchmark: synthetic runs with known faults, scored by rule."""
