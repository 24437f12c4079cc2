"""From live highway-env worlds to arrays and back, and which of its classes are known."""
