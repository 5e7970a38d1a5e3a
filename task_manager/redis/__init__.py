"""The queue modes that keep tasks in Redis or Valkey: keys, scripts, connections."""
