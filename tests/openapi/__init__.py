"""The OpenAPI document under linters and client generators: `make openapi`."""
