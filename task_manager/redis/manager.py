"""The task manager on Redis: both halves, for every queue mode."""

from __future__ import annotations

from task_manager.interface import TaskManager
from task_manager.redis.claimer import RedisClaimer
from task_manager.redis.submitter import RedisSubmitter


class RedisManager(RedisSubmitter, RedisClaimer, TaskManager):
    """The TaskManager on Redis; a queue mode adds how tasks wait."""
