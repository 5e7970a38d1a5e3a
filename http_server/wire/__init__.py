"""HTTP bodies and headers: reading requests, writing answers and problems."""
