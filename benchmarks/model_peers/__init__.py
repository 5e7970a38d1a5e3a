"""How each model server is built. They run in the environment `models`; `catalog` lists them."""
