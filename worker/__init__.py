"""Workers: a supervisor, its worker processes, and the jobs that it coordinates itself."""
