"""How requests are read, refused and answered."""
