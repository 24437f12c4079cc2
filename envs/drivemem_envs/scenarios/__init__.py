"""Scenarios: one file each, a frozen spec and what differs from highway-env."""
