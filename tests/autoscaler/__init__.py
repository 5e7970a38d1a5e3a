"""How many workers there are to be."""
