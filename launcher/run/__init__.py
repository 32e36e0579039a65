"""The run directory, the trainer process, its output and outcome, and clean-up."""
