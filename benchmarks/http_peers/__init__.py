"""Queues behind HTTP as their users build them; `catalog` lists them."""
