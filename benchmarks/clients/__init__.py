"""The clients that load a server, and what they note."""
