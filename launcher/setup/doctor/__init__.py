"""What is wrong with the machine, the checkout and the training environment, and what mends it."""
