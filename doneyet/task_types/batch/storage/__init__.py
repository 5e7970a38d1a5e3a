"""Where batch jobs read and write: what is allowed, and files in folders, S3 and the like."""
