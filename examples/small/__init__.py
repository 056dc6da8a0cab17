"""Trainings of a few seconds, one healthy and three with a known fault."""
