"""Rules between options: one small function each, with its reason and its source in the trainer."""
