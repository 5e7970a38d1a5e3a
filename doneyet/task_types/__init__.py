"""Task types: the `TaskType` base class, the registry, one file per task type.

Importing this package imports no model library; heavy imports live in `TaskType.load`.
"""

from doneyet.task_types.base import TaskType
from doneyet.task_types.context import RunContext
from doneyet.task_types.job import Job, JobContext
from doneyet.task_types.modules import TaskTypeError
from doneyet.task_types.registry import Registry, load_registry

__all__ = [
    "Job",
    "JobContext",
    "Registry",
    "RunContext",
    "TaskType",
    "TaskTypeError",
    "load_registry",
]
