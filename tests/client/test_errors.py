"""The error tree: what is drawn is what is there."""

from __future__ import annotations

import inspect

import pytest

from doneyet.client import errors
from doneyet.client.errors import ClientError, FieldError, InvalidInputError, problem_error


def test_the_drawing_is_complete() -> None:
    """The module's docstring draws each class, below its base."""
    drawn = inspect.getdoc(errors) or ""
    classes = [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, ClientError)
    ]
    assert len(classes) > 8
    for kind in classes:
        assert f" {kind.__name__}" in drawn or f"{kind.__name__}\n" in drawn, kind
        assert (inspect.getdoc(kind) or "").startswith("Raised when")


@pytest.mark.parametrize(
    ("pointer", "shown"),
    [
        ("/number", "number: wrong"),
        ("#/number", "number: wrong"),
        ("/texts/0", "texts/0: wrong"),
        ("/a~1b~0c", "a/b~c: wrong"),
        ("", "wrong"),
    ],
)
def test_a_field_error_reads_like_a_sentence(pointer: str, shown: str) -> None:
    """JSON pointers (RFC 6901), also as fragments, are shown without their escapes."""
    assert str(FieldError(pointer, "wrong")) == shown


@pytest.mark.parametrize("listed", [None, "junk", [1, {"x": 2}], {}])
def test_a_malformed_problem_is_still_an_error(listed: object) -> None:
    """What a proxy makes of a problem object must not hide it."""
    error = problem_error(422, {"title": "No", "errors": listed})
    assert isinstance(error, InvalidInputError)
    assert str(error)
