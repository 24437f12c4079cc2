"""Submissions: what an agent from anywhere did on a suite, packed so that others can compare it."""
