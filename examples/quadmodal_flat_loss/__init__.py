"""Four modalities, a sampler that yields one class a batch, and a loss that stays at ln 6."""
