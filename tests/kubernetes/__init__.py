"""The files of deploy/kubernetes."""
