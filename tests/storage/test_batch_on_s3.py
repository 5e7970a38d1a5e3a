"""A file-to-file job whose files are in S3, half of whose answers are failures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import prod

import pytest

from doneyet.client import Client
from doneyet.client.errors import InvalidInputError, TaskFailedError
from doneyet.local.system import System
from tests.storage.s3_server import FlakyProxy, S3Server

NUMBERS = list(range(10**6, 10**6 + 40))


@pytest.fixture(scope="module")
def flaky_system(s3_server: S3Server) -> Iterator[tuple[System, FlakyProxy]]:
    """A system whose jobs may use a bucket, over connections of which half fail."""
    s3_server.client().create_bucket(Bucket="half-the-calls")
    with FlakyProxy(s3_server.port, share=0.5) as proxy:
        settings = {"DONEYET_STORAGE": "s3://half-the-calls/jobs", **proxy.environment}
        with System(settings=settings, processes=1) as system:
            yield system, proxy


def test_all_items_are_right_and_in_order(
    flaky_system: tuple[System, FlakyProxy], s3_server: S3Server
) -> None:
    """Nothing is lost, doubled or half-written, however often calls have to be made again."""
    system, proxy = flaky_system
    s3 = s3_server.client()
    lines = "".join(f'{{"number": {number}}}\n' for number in NUMBERS)
    s3.put_object(Bucket="half-the-calls", Key="jobs/numbers.jsonl", Body=lines.encode())
    answer = Client(system.url).run(
        "batch", task="factorize", input="numbers.jsonl", output="out/factors.jsonl", timeout_s=50
    )
    assert (answer["items"], answer["succeeded"], answer["failed"]) == (40, 40, 0)
    assert answer["written"] == "s3://half-the-calls/jobs/out/factors.jsonl"
    got = s3.get_object(Bucket="half-the-calls", Key="jobs/out/factors.jsonl")["Body"].read()
    rows = [json.loads(line) for line in got.splitlines()]
    assert [row["number"] for row in rows] == NUMBERS
    assert [prod(p**e for p, e in row["factorization"]) for row in rows] == NUMBERS
    assert proxy.failed > 0


def test_asked_again(flaky_system: tuple[System, FlakyProxy], s3_server: S3Server) -> None:
    """Done is said while the objects are what they were; else the job is done anew."""
    system, proxy = flaky_system
    s3, client = s3_server.client(), Client(system.url)
    names = {"Bucket": "half-the-calls", "Key": "jobs/again.jsonl"}
    question = {"task": "factorize", "input": "again.jsonl", "output": "again.out"}
    share, proxy.share = proxy.share, 0.0
    try:
        s3.put_object(**names, Body=b'{"number": 6}\n')
        assert client.run("batch", question)["items"] == 1
        before = s3.head_object(Bucket="half-the-calls", Key="jobs/again.out")["LastModified"]
        for _ in range(3):
            assert client.ask("batch", question)["done"]
        after = s3.head_object(Bucket="half-the-calls", Key="jobs/again.out")["LastModified"]
        assert after == before
        s3.put_object(**names, Body=b'{"number": 6}\n{"number": 7}\n')
        assert client.run("batch", question)["items"] == 2
        s3.delete_object(Bucket="half-the-calls", Key="jobs/again.out")
        assert client.run("batch", question)["items"] == 2
        got = s3.get_object(Bucket="half-the-calls", Key="jobs/again.out")["Body"].read()
        assert [row["number"] for row in json.loads(got)] == [6, 7]
    finally:
        proxy.share = share


def test_an_output_that_cannot_be_written(
    flaky_system: tuple[System, FlakyProxy],
) -> None:
    """The job fails with what is wrong; a place that is not allowed never becomes a job."""
    system, proxy = flaky_system
    client = Client(system.url)
    with pytest.raises(InvalidInputError, match="not inside what is allowed"):
        client.run("batch", task="factorize", input="one.jsonl", output="s3://other-bucket/x")
    proxy.share, proxy.faults = 1.0, ("403",)
    with pytest.raises(TaskFailedError, match=r"cannot write 's3://half.*access is denied"):
        client.run("batch", task="factorize", input="one.jsonl", output="two.jsonl", timeout_s=30)
