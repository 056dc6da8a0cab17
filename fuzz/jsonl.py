"""JSON Lines, arrays and objects side by side."""

from fuzz.harness import fuzz, of_reader

if __name__ == "__main__":
    fuzz(lambda: of_reader("jsonl", "run.jsonl"))
