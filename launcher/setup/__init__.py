"""What a run needs before it starts: the checkout and the training environment."""
