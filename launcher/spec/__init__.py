"""What the user wrote: files, inheritance, names, overrides, and where each value came from."""
