"""The client library for doneyet's HTTP API: submits, polls, retries.

from doneyet import Client

client = Client("http://localhost:8080")
client.run("factorize", number=408216)["factorization_str"]  # '2^3 3^1 73^1 233^1'
client.map("factorize", [{"number": n} for n in range(2, 1000)], progress=True)
"""

from doneyet.client.client import Client
from doneyet.client.errors import (
    AlreadyTerminalError,
    ClientError,
    FieldError,
    ForbiddenError,
    InvalidInputError,
    NotDoneError,
    NotFoundError,
    ProblemError,
    SomeFailedError,
    TaskCancelledError,
    TaskFailedError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedAnswerError,
)
from doneyet.client.events import Event

__all__ = [
    "AlreadyTerminalError",
    "Client",
    "ClientError",
    "Event",
    "FieldError",
    "ForbiddenError",
    "InvalidInputError",
    "NotDoneError",
    "NotFoundError",
    "ProblemError",
    "SomeFailedError",
    "TaskCancelledError",
    "TaskFailedError",
    "UnauthorizedError",
    "UnavailableError",
    "UnexpectedAnswerError",
]
