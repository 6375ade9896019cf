import os
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from study.code_digest import CodeDigest
from study.deploy import segmenter as settled
from study.deploy import workers as module
from study.deploy.assignment import Job
from study.deploy.crew import Setup
from study.deploy.package import load_package, save_package
from study.deploy.predict import predict
from study.deploy.workers import predict_on_workers
from study.errors import StudyError
from study.executors import WorkerDiedError, opened_executor
from study.executors.pool import Pool
from tests.deploy.stand_in import names
from tests.deploy.test_segmenter import segmenter
from tests.launches import wait_until
from tests.workers import TwoWorkers
from tests.zarrs import write_zarr

SMALL_TILES = {"tile": 32, "overlap": 8}
MANY_OBJECTS = {"clustering__min_size": 0, "clustering__seed_smoothing": 0, "clustering__angle": 10}


def noise(seed, shape=(40, 36, 3)):
    return np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of models: one that resizes images, and one that keeps their size."""
    place = tmp_path_factory.mktemp("models")
    for size in (32, 0):
        made = segmenter(data__image_size=size, **MANY_OBJECTS)
        save_package(place / str(size), made.network.state_dict(), made.settings, made.channels, {})
    return place


@pytest.fixture
def model(models):
    return load_package(models / "32", "cpu")


@pytest.fixture
def keeping_size(models, monkeypatch):
    """A model, to which each image is large and that cuts it into small tiles."""
    monkeypatch.setattr(settled, "LARGE", 1)
    monkeypatch.setattr(settled, "TILES", SMALL_TILES)
    monkeypatch.setattr(settled, "HALO", 1)
    return load_package(models / "0", "cpu")


@pytest.fixture
def folder(tmp_path):
    """Images, a stack, and a file that is none."""
    place = tmp_path / "images"
    place.mkdir()
    for k in range(6):
        Image.fromarray(noise(k)).save(place / f"{k}.png")
    tifffile.imwrite(place / "stack.tif", noise(9, (3, 20, 20)), photometric="minisblack")
    (place / "a broken one.png").write_text("no image")
    return place


@pytest.fixture(scope="module")
def pool():
    with Pool("study.deploy.workers", 2) as opened:
        yield opened


def contents(folder):
    return {name: (folder / name).read_bytes() for name in names(folder)}


def by(executor, model, folder, out, **options):
    options = {"overlay": True, "table": True, **options}
    return predict_on_workers(model, folder, out, executor, device="cpu", **options)


def assert_as_inline(executor, model, folder, out, capsys):
    also = "geojson,coco"
    assert predict(model, folder, out / "wanted", overlay=True, table=True, also=also) == 1
    wanted = capsys.readouterr()
    assert by(executor, model, folder, out / "found", also=also) == 1
    assert contents(out / "found") == contents(out / "wanted")
    assert [text.replace("found", "wanted") for text in capsys.readouterr()] == list(wanted)
    assert len(names(out / "found")) == 3 + 3 * 7  # of all images; of each


@pytest.fixture
def small_tasks(monkeypatch):
    """Few images are worth a task."""
    monkeypatch.setattr(module, "_LEAST", 1)


@pytest.mark.usefixtures("small_tasks")
def test_a_pool(pool, model, folder, tmp_path, capsys):
    assert_as_inline(pool, model, folder, tmp_path, capsys)


@pytest.mark.usefixtures("small_tasks")
def test_a_dask_cluster(model, folder, tmp_path, capsys):
    (tmp_path / "cluster.yaml").write_text("jobs: 2\n")
    with opened_executor("dask", "", 0, "local", str(tmp_path / "cluster.yaml")) as executor:
        assert_as_inline(executor, model, folder, tmp_path, capsys)


@pytest.mark.parametrize("suffix", [".png", ".ome.zarr"])
def test_a_large_image_in_tiles_over_a_pool(pool, keeping_size, tmp_path, capsys, suffix):
    (tmp_path / "images").mkdir()
    file, pixels = tmp_path / "images" / f"a{suffix}", noise(3, (100, 150, 3))
    if suffix == ".png":
        Image.fromarray(pixels).save(file)
    else:
        write_zarr(file, pixels[..., 0], "yx")
    assert predict(keeping_size, tmp_path / "images", tmp_path / "wanted", overlay=True, table=True) == 0
    assert len(pd.read_csv(tmp_path / "wanted" / "objects.csv")) > 20
    assert by(pool, keeping_size, tmp_path / "images", tmp_path / "found") == 0
    assert contents(tmp_path / "found") == contents(tmp_path / "wanted")
    assert "passed over" not in capsys.readouterr().out


def test_tiles_that_are_there_are_not_made_again(keeping_size, tmp_path, monkeypatch):
    image, out = tmp_path / "a.png", tmp_path / "out"
    Image.fromarray(noise(3, (100, 150, 3))).save(image)
    assert predict(keeping_size, image, tmp_path / "wanted") == 0

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("study.deploy.spread.cluster_windows", stopped)
        with pytest.raises(KeyboardInterrupt):
            by(TwoWorkers(), keeping_size, image, out, table=False, overlay=False)
    kept = names(out)
    assert len([name for name in kept if "/maps-" in name]) == 4 * 5
    assert not [name for name in kept if ".predict-" in name]
    (out / kept[0]).unlink()
    again = TwoWorkers()
    assert by(again, keeping_size, image, out, table=False, overlay=False) == 0
    assert contents(out) == contents(tmp_path / "wanted")
    assert [len(task[2]) for task in again.tasks[1:]] == [1, 5, 5, 5, 5]  # the missing part, and all windows

    keeping_size.settings = keeping_size.settings.with_({"clustering.min_size": 30})
    with monkeypatch.context() as patched:
        patched.setattr("study.deploy.spread.cluster_windows", stopped)
        with pytest.raises(KeyboardInterrupt):
            by(TwoWorkers(), keeping_size, image, out, table=False, overlay=False, overwrite=True)
    assert names(out / ".tiles")
    other = TwoWorkers()
    keeping_size.settings = keeping_size.settings.with_({"clustering.min_size": 31})
    assert by(other, keeping_size, image, out, table=False, overlay=False, overwrite=True) == 0
    assert sum(len(task[2]) for task in other.tasks[1:]) == 40  # another model's tiles are none of this one
    assert not (out / ".tiles").exists()


@pytest.mark.parametrize(("vast", "tasks"), [(2**26, {"FileTask"}), (800, {"FileTask", "tuple"})])
def test_where_there_are_enough_images_only_vast_ones_are_taken_in_tiles(
    keeping_size, folder, tmp_path, monkeypatch, vast, tasks
):
    monkeypatch.setattr(module, "_VAST", vast)
    assert predict(keeping_size, folder, tmp_path / "wanted") == 1
    two = TwoWorkers()
    assert by(two, keeping_size, folder, tmp_path / "out", overlay=False, table=False) == 1
    assert {type(task).__name__ for task in two.tasks} == tasks
    assert contents(tmp_path / "out") == contents(tmp_path / "wanted")


def test_a_call_that_was_stopped_goes_on(models, model, folder, tmp_path):
    """With the real command, which is stopped once it has written something."""
    for k in range(100, 220):
        shutil.copy(folder / "0.png", folder / f"{k}.png")
    (folder / "a broken one.png").unlink()
    out = tmp_path / "out"
    command = [sys.executable, "-m", "study", "predict", "--model", str(models / "32"), "--images", str(folder)]
    command += ["--out", str(out), "--table", "1", "--device", "cpu", "--executor", "pool", "--slots", "2"]
    told = tmp_path / "told"
    with told.open("wb") as file:
        call = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    wait_until(call, lambda: list(out.glob("*.png")))
    call.send_signal(signal.SIGINT)
    assert call.wait(60) == 130
    done = len(list(out.glob("*.png")))
    assert 0 < done < 126
    assert b"Traceback" not in told.read_bytes()
    assert not list(out.glob(".predict-*"))
    assert by(TwoWorkers(), model, folder, out, overlay=False) == 0
    assert predict(model, folder, tmp_path / "wanted", table=True) == 0
    left = {name: found for name, found in contents(out).items() if not name.endswith(".partial")}
    assert left == contents(tmp_path / "wanted")


@pytest.mark.parametrize("lacking", ["images", "shared"])
def test_a_worker_that_does_not_see_a_folder_is_named(model, folder, tmp_path, lacking):
    class Elsewhere(TwoWorkers):
        def ask(self, question, given):
            return super().ask(question, replace(given, **{lacking: tmp_path / "gone" / lacking}))

    away, out = Elsewhere(), tmp_path / "out"
    what, where = {"images": ("8 of 8 images", "gone/images"), "shared": ("what this call has put there", "gone")}[
        lacking
    ]
    words = f"^the worker on {socket.gethostname()} does not find {what} in {tmp_path}/{where}: the folders of"
    with pytest.raises(StudyError, match=words):
        by(away, model, folder, out)
    assert away.tasks == []
    assert names(out) == []


def test_a_worker_that_comes_later_is_looked_at_too(tmp_path):
    setup = Setup(tmp_path / "gone", "cpu", 1, module.code_digest())
    with pytest.raises(StudyError, match=f"does not find what this call has put there in {tmp_path}: "):
        setup.begin()
    with pytest.raises(StudyError, match="runs other code of the study"):
        replace(setup, code=CodeDigest("other", "other", "other")).begin()


def test_an_image_that_kills_its_worker_takes_no_other_along(model, folder, tmp_path, capsys):
    class Fragile(TwoWorkers):
        def submit(self, work, task):
            if any(job.name == "3" for job in task.wanted.jobs):
                lost = Future()
                lost.set_exception(WorkerDiedError("it ran out of memory"))
                return lost
            return super().submit(work, task)

    assert by(Fragile(), model, folder, tmp_path / "out") == 2
    assert len(list((tmp_path / "out").glob("?.png"))) == 5
    assert f"{folder / '3.png'} cannot be segmented: it ran out of memory\n" in capsys.readouterr().err


def test_all_workers_compute_in_the_same_precision(model, folder, tmp_path, monkeypatch):
    two = TwoWorkers()
    asked = model.settings.with_({"training.precision": "auto"})
    model = settled.Segmenter(model.network, asked, model.channels)
    seen = []
    keep = module.save_package
    monkeypatch.setattr(module, "save_package", lambda *given: seen.append(given[2]) or keep(*given))
    real = two.ask
    monkeypatch.setattr(two, "ask", lambda *given: [replace(m, precision="bfloat16") for m in real(*given)])
    by(two, model, folder, tmp_path / "out")
    assert [settings.training.precision for settings in seen] == ["bfloat16"]


def test_groups_of_files(tmp_path):
    """Neighbours stay together; a group is no heavier than a slot's share, and no task too heavy."""
    jobs = []
    for k, megabytes in enumerate([0] * 10 + [9] * 2 + [300]):
        (tmp_path / str(k)).touch()
        os.truncate(tmp_path / str(k), megabytes * 2**20)
        jobs.append(Job(tmp_path / str(k), str(k)))
    assert [len(group) for group in module._grouped(jobs[:10], 3)] == [3, 4, 3]
    assert [len(group) for group in module._grouped(jobs[:12], 3)] == [10, 1, 1]
    assert [len(group) for group in module._grouped(jobs, 1)] == [12, 1]
    assert [len(group) for group in module._grouped(jobs[::-1], 1)] == [1, 12]
    assert module._grouped(jobs[:1], 1) == [jobs[:1]]
