"""The way of a submit through the layers, and back."""
