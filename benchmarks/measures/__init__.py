"""What `make bench` measures, a file each."""
