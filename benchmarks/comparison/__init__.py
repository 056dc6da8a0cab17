"""Whether ``trainlens compare`` says what it may: sizes, coverage, peers, and how long it takes."""
