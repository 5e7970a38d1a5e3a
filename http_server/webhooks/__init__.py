"""Webhooks: where they may be sent to, what they say, how they are signed and sent."""
