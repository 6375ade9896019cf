import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from filelock import FileLock, Timeout

from study.code_digest import CodeDigest
from study.errors import StudyError
from study.runs.cache import TRAININGS, TrainingCache, other_checkpoints
from study.settings import Settings
from study.training.checkpoint import History
from tests.maps import image_maps, is_mapped

SHAPES = [(4, 6), (5, 3)]
OF_THE_LOCK = {"lock", "owner"}  # files
HISTORY = History(
    0.1 + 0.2,
    [{"step": 1, "train/loss": 1 / 3, "perf/images_per_second": 1e9}, {"step": 2, "train/loss": 5e-324}],
    [{"step": 2, "seconds": 0.3, "val/sbd": 0.1}],
)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A training of which nothing is kept yet."""
    monkeypatch.chdir(tmp_path)
    kept = TrainingCache("abc")
    with kept.lock():
        return kept


def network(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))


def maps(shapes=SHAPES):
    rng = np.random.default_rng(0)
    return [
        image_maps(rng.random(shape).astype(np.float16), rng.random((*shape, 8)).astype(np.float16)) for shape in shapes
    ]


def damage(file, how):
    content = file.read_bytes()
    if how == "gone":
        file.unlink()
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif how == "text":
        file.write_text("no such thing")
    else:
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([255 - content[middle]]) + content[middle + 1 :])


def test_nothing_is_kept_at_first(kept):
    assert kept.folder == TRAININGS / "abc"
    assert kept.load() is None
    assert kept.load_maps("val", SHAPES) is None


def test_weights_and_history_come_back_to_the_last_digit(kept):
    kept.checkpoint.write_text("of no use any more")
    kept.save(network(), HISTORY)
    weights, history = TrainingCache("abc").load()
    wanted = network().state_dict()
    assert weights.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert torch.equal(weights[name], tensor), name
    assert history == HISTORY
    assert {file.name for file in kept.folder.iterdir()} - OF_THE_LOCK == {"finished.pt"}


def test_nothing_but_the_lock_is_left(kept):
    kept.save(network(), HISTORY)
    kept.save_maps("val", enumerate(maps()))
    kept.checkpoint.with_name("checkpoint.pt.partial").write_text("of a killed process")
    with kept.lock():
        kept.clear()
        assert {file.name for file in kept.folder.iterdir()} == OF_THE_LOCK
    shutil.rmtree(kept.folder)
    kept.clear()


def test_maps_come_back(kept):
    kept.save_maps("val", enumerate(maps()))
    found = TrainingCache("abc").load_maps("val", SHAPES)
    for one, other in zip(found, maps(), strict=True):
        assert (one.objectness.dtype, one.embedding.dtype) == (np.float16, np.float16)
        np.testing.assert_array_equal(one.objectness, other.objectness)
        np.testing.assert_array_equal(one.embedding, other.embedding)
        assert is_mapped(one.objectness)
        assert is_mapped(one.embedding)
    assert kept.load_maps("test", SHAPES) is None
    kept.save_maps("test", enumerate([]))
    assert kept.load_maps("test", []) == []
    assert {file.name for file in kept.folder.iterdir()} - OF_THE_LOCK == {"maps_val.bin", "maps_test.bin"}


@pytest.mark.parametrize("shapes", [[(4, 6)] * 2, SHAPES[::-1], [*SHAPES, (4, 6)], [(6, 4), (3, 5)]])
def test_maps_of_other_shapes_do_not_fit(shapes, kept):
    kept.save_maps("val", enumerate(maps()))
    assert kept.load_maps("val", shapes) is None


def test_maps_and_trials_of_other_images_or_other_code_do_not_fit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, settings = CodeDigest("training", "maps", "scoring"), Settings()
    first = TrainingCache("abc", "data", code)
    with first.lock():
        first.save_maps("val", enumerate(maps()))
    assert TrainingCache("abc", "data", replace(code, scoring="other")).load_maps("val", SHAPES) is not None
    for other in (TrainingCache("abc", "other data", code), TrainingCache("abc", "data", replace(code, maps="other"))):
        assert other.load_maps("val", SHAPES) is None
    files = {first.search_file(settings, ["sbd"])}
    files.add(TrainingCache("abc", "other data", code).search_file(settings, ["sbd"]))
    files.add(TrainingCache("abc", "data", replace(code, scoring="other")).search_file(settings, ["sbd"]))
    assert len(files) == 3
    assert TrainingCache("abc", "data", replace(code, maps="other")).search_file(settings, ["sbd"]) in files


def test_checkpoints_of_other_code_are_listed_and_no_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for digest, settings_digest, begun in (
        ("own", "asked", True),
        ("older", "asked", True),
        ("finished", "asked", False),
        ("of another", "other", True),
    ):
        kept = TrainingCache(digest)
        with kept.lock():
            kept.describe(settings_digest, f"commit of {digest}")
            if begun:
                kept.checkpoint.write_text("")
    (TRAININGS / "older" / "x").write_text("")
    assert other_checkpoints("asked", "own") == [(TRAININGS / "older" / "checkpoint.pt", "commit of older")]
    (TRAININGS / "older" / "training.json").write_text("half a l")
    assert other_checkpoints("asked", "own") == []


@pytest.mark.parametrize("how", ["gone", "empty", "cut", "text"])
def test_damaged_weights_are_made_again_and_told(how, kept, capsys):
    kept.save(network(), HISTORY)
    damage(kept.folder / "finished.pt", how)
    assert kept.load() is None
    told = capsys.readouterr().out
    assert told.startswith("cannot read the trained network trainings/abc/finished.pt (") == (how != "gone")
    assert told.endswith("): it is made again\n") == (how != "gone")


@pytest.mark.parametrize("how", ["gone", "empty", "cut", "text", "a byte"])
def test_damaged_maps_are_made_again_and_told(how, kept, capsys):
    kept.save_maps("val", enumerate(maps([(32, 32)])))
    damage(kept.folder / "maps_val.bin", how)
    assert kept.load_maps("val", [(32, 32)]) is None
    told = capsys.readouterr().out
    assert told.startswith("cannot read the maps trainings/abc/maps_val.bin (") == (how != "gone")
    assert told.endswith("): they are made again\n") == (how != "gone")


@pytest.mark.parametrize("name", ["load", "load_maps"])
def test_a_lack_of_memory_is_no_damage(name, kept, monkeypatch):
    kept.save(network(), HISTORY)
    kept.save_maps("val", enumerate(maps()))

    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr("study.runs.cache.torch.load", full)
    monkeypatch.setattr("study.runs.map_files.np.memmap", full)
    with pytest.raises(MemoryError):
        kept.load() if name == "load" else kept.load_maps("val", SHAPES)


def test_each_search_has_a_file_of_its_own(kept):
    base = Settings()
    others = [base.with_({name: value}) for name, value in (("clustering.method", "hdbscan"), ("tuning.trials", 7))]
    files = {kept.search_file(settings, ["sbd"]) for settings in (base, *others)}
    files.add(kept.search_file(base, ["sbd", "abs_dic"]))
    assert len(files) == 4
    assert {file.parent for file in files} == {kept.folder}
    assert kept.search_file(base.with_({"loss.inter_weight": 9}), ["sbd"]) in files


def test_trainings_do_not_mix(kept):
    kept.save(network(), HISTORY)
    kept.save_maps("val", enumerate(maps()))
    other = TrainingCache("other")
    assert other.load() is None
    assert other.load_maps("val", SHAPES) is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no file that is always full")
def test_a_full_disk_is_told_and_what_was_there_stays(kept, monkeypatch):
    kept.save(network(), HISTORY)
    kept.save_maps("val", enumerate(maps()))
    kept.checkpoint.write_text("still needed")
    monkeypatch.setattr("study.files.uuid4", lambda: SimpleNamespace(hex="x"))
    for name, write in (
        ("finished.pt", lambda: kept.save(network(1), History())),
        ("maps_val.bin", lambda: kept.save_maps("val", enumerate(maps([(2, 2)])))),
    ):
        (kept.folder / "x.partial").symlink_to("/dev/full")
        with pytest.raises(StudyError, match=rf"cannot write trainings/abc/{name}: .*; free disk space or rights"):
            write()
    assert kept.checkpoint.exists()
    assert kept.load()[1] == HISTORY
    assert kept.load_maps("val", SHAPES) is not None


def test_a_fault_of_the_network_that_makes_the_maps_is_not_taken_for_one_of_the_disk(kept):
    def breaking():
        yield 0, maps()[0]
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        kept.save_maps("val", breaking())
    assert {file.name for file in kept.folder.iterdir()} == OF_THE_LOCK


def test_maps_that_are_in_use_stay_when_new_ones_are_saved(kept):
    found = kept.save_maps("val", enumerate(maps()))
    kept.save_maps("val", enumerate(maps([(2, 2)])))
    kept.clear()
    np.testing.assert_array_equal(found[1].embedding, maps()[1].embedding)


def test_a_folder_that_has_gone_is_made_anew(kept):
    shutil.rmtree(kept.folder)
    kept.save_maps("val", enumerate(maps()))
    assert kept.load_maps("val", SHAPES) is not None


def test_what_a_killed_process_was_writing_is_deleted(kept):
    (kept.folder / "0123.partial").write_text("half a checkpoi")
    with kept.lock():
        assert not list(kept.folder.glob("*.partial"))


@pytest.mark.parametrize("in_the_way", ["trainings", "trainings/abc", "trainings/abc/lock"])
def test_a_folder_that_cannot_be_made_or_locked_is_told(in_the_way, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if in_the_way.endswith("lock"):
        Path(in_the_way).mkdir(parents=True)  # a folder cannot be opened for writing, not even by root
    else:
        Path(in_the_way).parent.mkdir(exist_ok=True)
        Path(in_the_way).write_text("a file where the folder should be")
    with (
        pytest.raises(StudyError, match=r"cannot write trainings/abc: .*; free disk space or rights"),
        TrainingCache("abc").lock(),
    ):
        pass


def test_one_process_at_a_time_until_it_dies(kept):
    program = "import time; from study.runs.cache import TrainingCache\n"
    program += "with TrainingCache('abc').lock(): print('locked', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "locked\n"
            with pytest.raises(Timeout), FileLock(kept.folder / "lock", timeout=0.2):
                pass
            with TrainingCache("another").lock():  # of another training, at once
                pass
        finally:
            other.send_signal(signal.SIGKILL)
    with kept.lock():
        pass


def test_who_waits_says_for_whom(kept, capsys, monkeypatch):
    monkeypatch.setattr("study.runs.cache._REMINDER", 0.05)
    program = "import time; from study.runs.cache import TrainingCache\n"
    program += "with TrainingCache('abc').lock(): print('locked', flush=True); time.sleep(1.5)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "locked\n"
        with kept.lock():
            pass
    told = capsys.readouterr().out.splitlines()
    assert len(told) > 1  # again and again
    assert told[0].startswith(f"waiting for process {other.pid} on {socket.gethostname()}, since 20")
    assert told[0].endswith(f"which works on the same training in {kept.folder.resolve()}")


def test_it_is_free_again_after_a_fault(kept):
    with pytest.raises(ZeroDivisionError), kept.lock():
        raise ZeroDivisionError
    with FileLock(kept.folder / "lock", timeout=0.2):
        pass


def test_a_fault_inside_is_not_taken_for_one_of_the_lock(kept):
    with pytest.raises(FileNotFoundError), kept.lock():
        raise FileNotFoundError
