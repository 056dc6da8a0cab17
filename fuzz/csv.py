"""Tables."""

from fuzz.harness import fuzz, of_reader

if __name__ == "__main__":
    fuzz(lambda: of_reader("csv", "metrics.csv"))
