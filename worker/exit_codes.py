"""What a worker process says as it ends itself: on its status board, and by its exit code.

The board is what its supervisor believes. Any handler may end its process with any exit code.
"""

from __future__ import annotations

NOT_LOADED = 3
"""It cannot load a task type; it has said why."""

BROKEN = 70
"""One of its threads failed; it has said how. Any of the tasks that it held may be to blame."""
