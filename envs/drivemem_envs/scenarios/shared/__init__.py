"""What several scenarios share: worlds, roads and planners; no scenario itself."""
