"""Pieces of the trainer_state.json reader: one state, the folder of a run, its history."""
