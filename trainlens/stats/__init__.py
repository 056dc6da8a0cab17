"""Mathematics of training curves: numpy only, no knowledge of runs or rules."""
