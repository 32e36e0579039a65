"""What a checkout of sd-scripts accepts, read statically: nothing of it is imported or run."""
