"""Spec and options become a plan: the run fully resolved, as pure data."""
