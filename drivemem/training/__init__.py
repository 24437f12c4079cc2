"""Training: one agent on one scenario with one seed, resumable; `train` is where to begin."""
