"""The checks a plan goes through, one module per subject."""
