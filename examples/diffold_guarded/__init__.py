"""A structure predictor that runs out of memory, waits for its data, and meets a corrupt entry."""
