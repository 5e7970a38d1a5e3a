"""Models of inputs and outputs: what they may be, and their way to JSON and back."""
