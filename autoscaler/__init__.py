"""How many workers a task type needs: the policy, and what carries it out."""
