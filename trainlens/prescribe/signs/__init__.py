"""What a log says for or against a cause: facts of a run, phrased elsewhere."""
