"""What the ego perceives and is shown, once per decision."""
