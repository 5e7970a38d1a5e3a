"""What models compute with torch and transformers; imported by worker processes that load one."""
