"""Task types of transformers models, and the table that names the models."""
