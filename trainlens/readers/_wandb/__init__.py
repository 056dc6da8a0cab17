"""The log that W&B writes beside a run: its frames, its records and what they mean."""
