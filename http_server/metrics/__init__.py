"""What Prometheus is told: of the queues, alike by all servers, and of this server's requests."""
