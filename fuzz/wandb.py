"""Chunks of W&B's log."""

from fuzz.harness import fuzz, of_reader

if __name__ == "__main__":
    fuzz(lambda: of_reader("wandb", "run-a/run-a.wandb"))
