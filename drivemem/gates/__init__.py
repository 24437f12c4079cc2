"""Gates: may a scenario judge memories? Four questions, from cheap to dear (docs/gates.md)."""
