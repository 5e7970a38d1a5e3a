"""The command `doneyet`: every command line of doneyet is one of its commands."""
