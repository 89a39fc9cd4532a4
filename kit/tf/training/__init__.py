"""Training: the loop, its step, optimizer, schedule, state and stop."""
