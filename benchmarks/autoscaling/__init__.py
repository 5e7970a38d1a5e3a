"""What `doneyet autoscale` would do, without containers and in no time."""
