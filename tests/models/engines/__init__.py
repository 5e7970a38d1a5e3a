"""What each kind of model answers."""
