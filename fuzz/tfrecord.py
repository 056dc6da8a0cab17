"""Frames, checksums and the search behind damage; for what stands in frames see `messages`."""

from fuzz.harness import fuzz, of_reader

if __name__ == "__main__":
    fuzz(lambda: of_reader("tensorboard", "events.out.tfevents.1.fuzz"))
