import threading
from types import SimpleNamespace

import pytest

from study.ablation import live_view
from study.ablation.live_view import LiveView
from study.ablation.progress import TimeLeft


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def at_work(name, progress="", training="t"):
    return SimpleNamespace(name=name, progress=progress, tags={"training_digest": training})


def test_a_line_for_the_launch_and_one_for_each_run():
    clock, view = Clock(), LiveView(3, list)
    view.follow(TimeLeft([60, 60, 60], 2, clock), {"a": 0, "b": 1, "c": 2})
    view.done, clock.now = 1, 60
    runs = [at_work("wnet, seed 0", "step 100 of 400, 25 images/s", "a"), at_work("unet, seed 0", training="b")]
    assert view.words(runs) == [
        "1 of 3 runs done, 2 at work, about 7 min left",  # 4 minutes for each: 3 of the first, then the third
        "wnet, seed 0: step 100 of 400, 25 images/s",
        "unet, seed 0: at work",
    ]


def test_nothing_is_said_of_the_time_while_nothing_is_known():
    view = LiveView(2, list)
    view.follow(TimeLeft([0, 0], 1, Clock()), {})
    assert view.words([at_work("wnet", "step 1 of 2")]) == ["0 of 2 runs done, 1 at work", "wnet: step 1 of 2"]


def test_many_runs_do_not_fill_the_terminal():
    words = LiveView(40, list).words([at_work(f"run {i}") for i in range(20)])
    assert words[1:] == [*(f"run {i}: at work" for i in range(8)), "and 12 more"]


@pytest.fixture
def looks(monkeypatch):
    """Looks into the store in quick succession, each of which gives what is in the list, or the last of it."""
    monkeypatch.setattr(live_view, "_EVERY", 0.01)
    given, seen = [[at_work("wnet", "step 1 of 2")], None, [at_work("unet" + "!" * 500)], []], threading.Event()

    def look():
        if len(given) == 1:
            seen.set()
            return given[0]
        return given.pop(0)

    return look, seen


def test_lines_of_a_terminal_change_and_go_with_the_view(looks, capsys):
    look, seen = looks
    with LiveView(2, look, terminal=True) as view:
        assert seen.wait(10)
    assert not view._thread.is_alive()
    shown = capsys.readouterr().err
    assert "0 of 2 runs done, 1 at work" in shown
    assert "wnet: step 1 of 2" in shown
    assert "unet!" in shown
    assert "!" * 200 not in shown  # cut at the width
    assert shown.rstrip("\n\x1b[A").rsplit("\r", 1)[-1].strip() == ""  # nothing stays


def test_where_there_is_no_terminal_a_line_is_written_now_and_then(looks, capsys, monkeypatch):
    look, seen = looks
    with LiveView(2, look, terminal=False):
        assert seen.wait(10)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(live_view, "_LINE_EVERY", 0.0)
    told = threading.Event()
    with LiveView(2, lambda: told.set() or [at_work("wnet", "step 1 of 2")], terminal=False):
        assert told.wait(10)
        threading.Event().wait(0.1)
    assert "0 of 2 runs done, 1 at work; wnet: step 1 of 2" in capsys.readouterr().out
