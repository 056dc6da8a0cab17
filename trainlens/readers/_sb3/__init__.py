"""Pieces of the Stable-Baselines3 reader: members of an archive, arrays of a member."""
