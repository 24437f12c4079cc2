"""What a scenario asks for: reward, end, outcome and metrics; a file per task of our own."""
