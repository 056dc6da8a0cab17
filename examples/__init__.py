"""Small real trainings that show what trainlens finds and what trainlens_torch does about it."""
