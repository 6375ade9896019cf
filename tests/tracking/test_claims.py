import socket
import threading
import time
from types import SimpleNamespace

import pytest

from study.tracking import claims, connect, heartbeat, start_run
from study.tracking.claims import claim, is_claimed

ELSEWHERE = f"no-{socket.gethostname()} 17 1000000000"


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch):
    monkeypatch.setattr(claims, "_LOOK_AGAIN", 0.02)


@pytest.fixture
def begun(store):
    """Begin a run of the training `abc`, with tags of its own."""
    experiment = connect()

    def begin(**tags):
        return start_run(experiment, "a run", "", {"training_digest": "abc", **tags})

    return begin


def never():
    return False


def claim_of(run):
    return run.client.get_run(run.run_id).data.tags.get("claim")


def test_a_training_that_nobody_does(begun):
    run = begun()
    assert is_claimed("abc") == ""
    assert claim(run, "abc", never)
    assert claim_of(run) == "held"
    assert is_claimed("abc") == f"process {run.client.get_run(run.run_id).data.tags['process'].split()[1]} on " + (
        f"{socket.gethostname()} (run {run.run_id})"
    )
    assert is_claimed("of another training") == ""
    run.end("FINISHED")
    assert is_claimed("abc") == ""


def test_whoever_comes_second_waits_until_the_training_is_done(begun, capsys):
    owner = begun(process=ELSEWHERE, claim="held")
    second, looks = begun(), []

    def done():
        looks.append(1)
        return len(looks) > 3

    assert not claim(second, "abc", done)
    assert claim_of(second) is None
    assert (
        capsys.readouterr().out.count(
            f"waiting for process 17 on no-{socket.gethostname()} (run {owner.run_id}), which does the same training"
        )
        == 1
    )


def test_whoever_waits_takes_over_where_the_owner_ends_without_a_network(begun):
    owner, second = begun(process=ELSEWHERE, claim="held"), begun()
    looks = []

    def never_done():
        looks.append(1)
        if len(looks) == 3:
            owner.end("FAILED", "its loss was not finite")
        return False

    assert claim(second, "abc", never_done)
    assert len(looks) >= 3


def test_a_training_that_is_done_between_two_looks_is_not_done_again(begun, monkeypatch):
    """Its owner ends after the second one has looked for a network, and before that one looks for owners."""
    owner, second = begun(process=ELSEWHERE, claim="held"), begun()
    finished, find = [], claims._Others.find

    def end_then_find(others):
        if not finished:
            owner.end("FINISHED")
            finished.append(owner)
        return find(others)

    monkeypatch.setattr(claims._Others, "find", end_then_find)
    assert not claim(second, "abc", lambda: bool(finished))
    assert claim_of(second) is None


def test_a_dead_process_of_this_machine_claims_nothing(begun, monkeypatch):
    begun(process=f"{socket.gethostname()} 999999 1000000000 {heartbeat._namespace()}", claim="held")
    assert is_claimed("abc") == ""


def test_on_another_machine_no_heartbeat_for_long_tells_that_a_process_is_dead():
    """Whatever its clock says: here it is a day late."""
    now = [0.0]
    beats = ["100"]

    def run():
        tags = {"process": ELSEWHERE, "heartbeat": beats[0], "claim": "held"}
        return SimpleNamespace(info=SimpleNamespace(run_id="other"), data=SimpleNamespace(tags=tags))

    others = claims._Others("abc", clock=lambda: now[0])
    alive = []
    for seconds, beat in ((0, "100"), (200, "100"), (250, "130"), (540, "130"), (551, "130")):
        now[0], beats[0] = seconds, beat
        alive.append(others._is_alive(run()))
    assert alive == [True, True, True, True, False]


def test_of_many_at_once_one_has_a_training(begun):
    holders, most, ended = [], [], []

    def work():
        run = begun()
        assert claim(run, "abc", never)
        holders.append(run.run_id)
        most.append(len(holders))
        time.sleep(0.05)
        holders.remove(run.run_id)
        run.end("FAILED")
        ended.append(run.run_id)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(ended) == 6
    assert max(most) == 1


def test_heartbeats_and_processes_in_words():
    run = SimpleNamespace(data=SimpleNamespace(tags={"process": "nodeA 5 1 pid:[1]", "heartbeat": "7"}))
    assert heartbeat.process_of(run) == "process 5 on nodeA"
    assert heartbeat.heartbeat_of(run) == "7"
