"""What is recorded of a run: repositories, hashes, the manifest."""
