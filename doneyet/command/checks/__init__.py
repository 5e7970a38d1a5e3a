"""What `doneyet check` tries, a file for each kind of thing."""
