"""Kept tasks and webhooks, end to end: real servers, a worker, a receiver."""

from __future__ import annotations

import base64
import itertools
import os
import signal
import time

import pytest
import requests

from doneyet.client import Client
from tests.helpers import connect, wait_until
from tests.http.kept.conftest import OTHER_SECRET, KeepingSystem, Submit
from tests.http.servers import ServerProcess
from tests.http.webhooks import receiver as answers
from tests.http.webhooks.receiver import Receiver
from tests.stopwatch import Stopwatch


def kept_entries(system: KeepingSystem) -> int:
    """How many tasks are kept."""
    with connect(system.redis_url) as client:
        return int(client.zcard("kept-tests:{kept}:due"))


def test_a_completion_is_told_once(
    keeping: KeepingSystem, receiver: Receiver, submit: Submit
) -> None:
    """With the answer, signed with each secret; soon; and not again, whoever polls and however."""
    server = keeping.serve()
    hook = {"Webhook_URL": receiver.url + "/hook?a=1"}
    with keeping.work.paused():
        for _ in range(3):
            assert submit(server, "/factorize", {"number": 60}, **hook).status_code == 202
        time.sleep(1.2)  # the first look, after which it's news that tells
        watch = Stopwatch()
    wait_until(lambda: receiver.received, description="the webhook comes")
    assert watch.within_s(2), watch
    (received,) = receiver.received
    assert received.path == "/hook?a=1"
    assert received.is_signed()
    assert received.is_signed(OTHER_SECRET)
    assert not received.is_signed(base64.b64encode(b"x" * 24).decode())
    assert abs(received.timestamp_s - time.time()) < 10
    assert "." not in received.id
    told = received.body
    task_id = told["data"]["id"]
    assert told["type"] == "task.completed"
    task = requests.get(f"{server.url}/tasks/{task_id}", timeout=5).json()
    assert told["data"] | {"load": 0} == task | {"load": 0}
    assert told["timestamp"] == task["finished_at"]
    wait_until(lambda: kept_entries(keeping) == 0, description="the entry is over")
    for _ in range(3):
        assert submit(server, "/factorize", {"number": 60}, **hook).json()["done"]
    submit(server, "/factorize", {"number": 60}, Webhook_URL=receiver.url + "/another")
    wait_until(lambda: len(receiver.received) == 2, description="another URL is told")
    assert receiver.received[1].path == "/another"
    submit(server, "/factorize", {"number": 60}, **hook, Cache_Control="no-cache")
    wait_until(lambda: len(receiver.received) == 3, description="another run is told")
    assert receiver.received[2].id != received.id
    time.sleep(1.5)
    assert len(receiver.received) == 3


def test_a_task_is_kept_without_its_client(
    keeping: KeepingSystem, receiver: Receiver, submit: Submit
) -> None:
    """It runs though nobody polls for longer than its input ttl; one that is not kept does not."""
    server = keeping.serve("--input-ttl-s", "1")
    with keeping.work.paused():
        kept = submit(server, "/factorize", {"number": 61}, Prefer="keep=60")
        assert kept.headers["Preference-Applied"] == "keep=60"
        hooked = submit(
            server, "/factorize", [{"number": 62}, {"number": 63}], Webhook_URL=receiver.url
        )
        left = submit(server, "/factorize", {"number": 64})
        time.sleep(4)
    urls = [f"{server.url}/tasks/{each['id']}" for each in (kept.json(), left.json())]
    wait_until(
        lambda: requests.get(urls[0], timeout=5).json().get("done"), description="it is done"
    )
    assert requests.get(urls[1], timeout=5).status_code == 404
    wait_until(lambda: len(receiver.received) == 2, description="both of the array are told")
    told = {each.body["data"]["id"] for each in receiver.received}
    assert told == {each["id"] for each in hooked.json()}
    wait_until(lambda: kept_entries(keeping) == 0, description="nothing is kept any more")


def test_many_are_submitted_by_a_client_that_leaves(keeping: KeepingSystem) -> None:
    """More than one array; all of them run, though nobody polls for longer than the input ttl."""
    server = keeping.serve("--input-ttl-s", "1")
    inputs = [{"number": number} for number in range(70_000, 71_200)]
    with keeping.work.paused():
        with Client(server.url) as client:
            submitted = client.submit_many("factorize", inputs, keep_s=60)
        answers = [each for each in submitted if isinstance(each, dict) and not each["done"]]
        assert len(answers) == len(inputs)
        time.sleep(3)
    wait_until(lambda: kept_entries(keeping) == 0, description="nothing is kept any more")
    with Client(server.url) as client:
        assert all(client.task(each["id"])["done"] for each in (answers[0], answers[-1]))


def test_keeping_ends(keeping: KeepingSystem, submit: Submit) -> None:
    """When the time is over that was asked for, at most that which is allowed."""
    server = keeping.serve("--input-ttl-s", "1", "--max-keep-s", "5")
    with keeping.work.paused():
        reply = submit(server, "/factorize", {"number": 65}, Prefer="wait=0, keep=3600")
        assert reply.headers["Preference-Applied"] == "wait=0, keep=5"
        url = f"{server.url}/tasks/{reply.json()['id']}"
        time.sleep(2.5)
        assert requests.get(url, timeout=5).json()["status"] == "waiting"
        wait_until(lambda: requests.get(url, timeout=5).status_code == 404, description="it ends")
        wait_until(lambda: kept_entries(keeping) == 0, description="its entry, too")


def kill(server: ServerProcess) -> None:
    """Ends it at once, with all of its processes."""
    for process in (server.process.pid, server.child()):
        os.kill(process, signal.SIGKILL)
    server.process.communicate(timeout=10)


def test_another_server_delivers(
    keeping: KeepingSystem, receiver: Receiver, submit: Submit
) -> None:
    """What a killed server had not told when the task finished."""
    first = keeping.serve()
    with keeping.work.paused():
        task_id = submit(first, "/factorize", {"number": 67}, Webhook_URL=receiver.url).json()["id"]
        kill(first)
    second = keeping.serve()
    wait_until(lambda: receiver.received, description="it is told", timeout_s=60)
    (received,) = receiver.received
    assert received.body["data"]["id"] == task_id
    assert received.is_signed()
    assert requests.get(f"{second.url}/tasks/{task_id}", timeout=5).json()["done"]
    wait_until(lambda: kept_entries(keeping) == 0, description="all is told")


@pytest.mark.parametrize("keeping", ["random"], indirect=True)
def test_another_server_delivers_again(
    keeping: KeepingSystem, receiver: Receiver, submit: Submit
) -> None:
    """What a server was delivering when it was killed: when its lease is over, with the same id."""
    first = keeping.serve()
    receiver.answers = [answers.silence]
    submit(first, "/factorize", {"number": 66}, Webhook_URL=receiver.url)
    wait_until(lambda: receiver.received, description="the first server begins to deliver")
    keeping.serve()
    kill(first)
    wait_until(lambda: len(receiver.received) == 2, description="it is told", timeout_s=60)
    one, same = receiver.received
    assert (one.id, one.body["data"]["id"]) == (same.id, same.body["data"]["id"])
    wait_until(lambda: kept_entries(keeping) == 0, description="all is told")


def test_what_runs_anew_is_kept_while_its_last_end_waits(
    keeping: KeepingSystem, receiver: Receiver, submit: Submit
) -> None:
    """Until the next attempt: the task neither expires nor is told late for that."""
    first = keeping.serve()
    receiver.answers = [answers.status(503, retry_after="3600")]
    task_id = submit(first, "/factorize", {"number": 71}, Webhook_URL=receiver.url).json()["id"]
    wait_until(lambda: receiver.received, description="its end is told in vain")
    first.stop()
    with connect(keeping.redis_url) as client:  # as it does when it expires
        assert client.delete(f"kept-tests:{{factorization}}:result:{task_id}")
    second = keeping.serve("--input-ttl-s", "2")
    with keeping.work.paused():
        again = submit(second, "/factorize", {"number": 71}, Webhook_URL=receiver.url)
        assert again.status_code == 202
        time.sleep(6)
    wait_until(lambda: len(receiver.received) == 2, description="the other run is told")
    assert receiver.received[0].id != receiver.received[1].id


def test_a_failed_delivery_is_made_again(
    keeping: KeepingSystem, receiver: Receiver, submit: Submit
) -> None:
    """Later, where the receiver wants that; with the same id and another time. Failures are told
    like answers, also when they are forgotten; 410 is the end; redirects are failures."""
    server = keeping.serve("--failure-ttl-s", "2")
    receiver.answers = [answers.status(503, retry_after="8")]
    submit(server, "/upper", {"text": "fail"}, Webhook_URL=receiver.url + "/again")
    wait_until(lambda: len(receiver.received) == 1, description="the first attempt")
    receiver.answers = [answers.status(410)]
    submit(server, "/upper", {"text": "gone"}, Webhook_URL=receiver.url + "/gone")
    wait_until(lambda: len(receiver.received) == 2, description="what is not wanted")
    receiver.answers = [answers.status(301, location=receiver.url + "/elsewhere")]
    submit(server, "/upper", {"text": "moved"}, Webhook_URL=receiver.url + "/moved")
    wait_until(lambda: len(receiver.received) == 5, description="the next attempts", timeout_s=40)
    assert sorted(each.path for each in receiver.received[2:]) == ["/again", "/moved", "/moved"]
    one, again = (each for each in receiver.received if each.path == "/again")
    assert one.id == again.id
    assert again.at_s - one.at_s > 7.9
    assert again.timestamp_s > one.timestamp_s
    for received in (one, again):
        assert received.is_signed()
        assert received.is_signed(OTHER_SECRET)
    assert one.signature != again.signature
    assert one.body["data"]["error"] == again.body["data"]["error"]
    assert one.body["data"]["status"] == "failed"
    metrics = requests.get(f"{server.url}/metrics", timeout=5).text
    for outcome, count in (("delivered", 2), ("failed", 2), ("gave_up", 1)):
        assert f'doneyet_webhook_deliveries_total{{outcome="{outcome}"}} {count}.0' in metrics
    log = server.stop()
    assert "/again" not in log
    assert "got 503" in log


def test_begin_and_progress_are_told(
    keeping: KeepingSystem, receiver: Receiver, submit: Submit
) -> None:
    """Where that is wanted: the begin once, progress at most twice a second; then the answer."""
    server = keeping.serve()
    names = list(keeping.work._types)
    with keeping.work.paused():
        hook = {"Webhook_URL": receiver.url, "Webhook_Events": "started, progress,completed"}
        submit(server, "/steps", {"seconds": 0.01}, **hook)
        manager = keeping.work._manager
        manager.renew({"slow": names}, 60)
        (claim,) = manager.claim("slow", names, 1, 1)
        for step in range(100):
            manager.progress("slow", {claim.id: (claim.type, step / 100, f"step {step}")})
            time.sleep(0.1)
            if len(receiver.of("task.progress")) == 3:
                break
        manager.recover("slow", names, running=())
    wait_until(lambda: receiver.of("task.completed"), description="the answer is told")
    (started,) = receiver.of("task.started")
    assert started.body["data"]["status"] == "running"
    progress = receiver.of("task.progress")
    assert len(progress) in (3, 4)
    fractions = [each.body["data"]["progress"]["fraction"] for each in progress]
    assert fractions == sorted(set(fractions))
    assert len({each.id for each in receiver.received}) == len(receiver.received)
    gaps_s = [b.at_s - a.at_s for a, b in itertools.pairwise(progress)]
    assert min(gaps_s) > 0.45
    assert receiver.received[-1].body["type"] == "task.completed"


def test_a_cancelled_task_is_told(
    keeping: KeepingSystem, receiver: Receiver, submit: Submit
) -> None:
    """It is completed, and says so; and it stays cancelled."""
    server = keeping.serve()
    with keeping.work.paused():
        reply = submit(server, "/factorize", {"number": 68}, Webhook_URL=receiver.url)
        url = f"{server.url}/tasks/{reply.json()['id']}"
        requests.delete(url, timeout=5)
        wait_until(lambda: receiver.received, description="it is told")
    assert receiver.received[0].body["data"]["error"]["code"] == "cancelled"
    assert receiver.received[0].body["data"]["number"] == 68
    assert requests.get(url, timeout=5).json()["status"] == "cancelled"


def test_large_answers_are_told_by_their_address(
    keeping: KeepingSystem, receiver: Receiver, submit: Submit
) -> None:
    """A body of more than 20 kB says which task it is, and where it is to be had."""
    server = keeping.serve()
    reply = submit(server, "/upper", {"text": "x" * 30_000}, Webhook_URL=receiver.url)
    wait_until(lambda: receiver.received, description="it is told")
    task_id = reply.json()["id"]
    assert receiver.received[0].body["data"] == {
        "id": task_id,
        "type": "upper",
        "status": "done",
        "done": True,
        "url": f"/tasks/{task_id}",
    }
