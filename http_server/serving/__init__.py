"""granian: the process, its sockets, its memory, its end."""
