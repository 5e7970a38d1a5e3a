"""What `deploy/` has for Prometheus, tried with Prometheus itself."""
