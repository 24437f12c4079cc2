"""How a world moves: lanes, vehicles, traffic and collisions, in highway-env's arithmetic."""
