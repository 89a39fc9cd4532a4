"""A competition that is made: synthetic scenes of ships, cut into tiles."""
