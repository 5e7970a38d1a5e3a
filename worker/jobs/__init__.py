"""Jobs that supervisors coordinate in threads of their own."""
