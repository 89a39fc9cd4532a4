"""What trains: the loop, its step, optimizer, schedule and stop."""
