"""Where the scenes that episodes begin with come from: kernels, or highway-env ahead of time."""
