import os
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from skimage.measure import label

from study.data.files.microscopy import Part
from study.data.files.reading import read_labels
from study.deploy import predict as module
from study.deploy.images import read_planes
from study.deploy.predict import predict
from study.errors import StudyError
from tests.deploy.stand_in import FOUND, TWO, Threshold, names
from tests.zarrs import write_zarr


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


@pytest.fixture
def three(folder):
    """A folder of three images."""
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(TWO).save(folder / name)
    return folder


def test_a_stack_becomes_a_stack(folder):
    pixels = np.stack([TWO, 0 * TWO, TWO[::-1], TWO])
    tifffile.imwrite(folder / "a.tif", pixels, imagej=True, metadata={"axes": "TYX"})
    assert predict(Threshold(), folder, folder / "out", overlay=True, table=True) == 0
    assert names(folder / "out") == ["a.tif", "counts.csv", "objects.csv", "overlays/a.tif"]
    with tifffile.TiffFile(folder / "out" / "a.tif") as file:
        assert file.series[0].axes == "TYX"
        np.testing.assert_array_equal(file.asarray()[[0, 1, 3]], [FOUND, 0 * FOUND, FOUND])
    counts = pd.read_csv(folder / "out" / "counts.csv")
    assert counts.to_dict("list") == {"image": ["a.tif"] * 4, "plane": [0, 1, 2, 3], "objects": [2, 0, 2, 2]}


def test_the_channel_of_a_zarr_keeps_its_size(folder):
    pixels = np.stack([np.stack([0 * TWO, 0 * TWO]), np.stack([TWO, 0 * TWO])])
    write_zarr(folder / "a.ome.zarr", pixels, "czyx", channels=["actin", "DNA"])
    assert predict(Threshold(), folder, folder / "out", format="tif", part=Part("DNA")) == 0
    assert names(folder / "out") == ["a.tif"]
    with tifffile.TiffFile(folder / "out" / "a.tif") as file:
        assert file.series[0].axes == "ZYX"
        np.testing.assert_array_equal(file.asarray(), [FOUND, 0 * FOUND])
        assert (file.imagej_metadata["unit"], file.imagej_metadata["spacing"]) == ("um", 2.0)
        across, of = file.pages[0].tags["XResolution"].value
        assert across / of == 4.0  # pixels per micrometre


def test_files_of_microscopes_that_fail_leave_the_others_alone(folder, capsys):
    (folder / "a.lif").write_bytes(b"nothing")
    write_zarr(folder / "b.zarr", np.stack([TWO, TWO]), "cyx", channels=["actin", "DNA"])
    Image.fromarray(TWO).save(folder / "c.png")
    assert predict(Threshold(), folder, folder / "out") == 2
    assert names(folder / "out") == ["c.png"]
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"cannot read {folder}/a.lif: replace the file")
    assert second == f"{folder}/b.zarr has the channels actin, DNA: choose one by --channel"


def test_a_plane_that_fails_fails_the_stack_alone(folder, capsys):
    class Fussy(Threshold):
        def labels(self, maps, foreground=None):
            if maps.image.max() == 7:
                raise ValueError("seven\nis too much")
            return super().labels(maps)

    tifffile.imwrite(folder / "a.tif", np.stack([TWO, 0 * TWO + 7, TWO, TWO]), photometric="minisblack")
    Image.fromarray(TWO).save(folder / "b.png")
    assert predict(Fussy(), folder, folder / "out") == 1
    assert names(folder / "out") == ["b.png"]
    (line,) = capsys.readouterr().err.splitlines()
    assert "a.tif cannot be segmented (ValueError: seven is too much)" in line


def test_the_network_may_fail_on_an_image(three, capsys):
    class Fussy(Threshold):
        def maps(self, image):
            if self.seen == 1:
                self.seen += 1
                raise StudyError("it has the wrong colour: dye it")
            return super().maps(image)

    assert predict(Fussy(), three, three / "out") == 1
    assert names(three / "out") == ["a.png", "c.png"]
    assert capsys.readouterr().err == f"{three / 'b.png'}: it has the wrong colour: dye it\n"


def test_equal_stems_do_not_overwrite_each_other(folder):
    Image.fromarray(TWO).save(folder / "a.png")
    Image.fromarray(0 * TWO).save(folder / "a.tif")
    assert predict(Threshold(), folder, folder / "out", overlay=True) == 0
    assert names(folder / "out") == ["a.png.png", "a.tif.png", "overlays/a.png.png", "overlays/a.tif.png"]
    assert read_labels(folder / "out" / "a.png.png").max() == 2
    assert read_labels(folder / "out" / "a.tif.png").max() == 0


def test_ids_in_the_table_are_those_of_the_labels(folder):
    class Gaps(Threshold):
        def labels(self, maps, foreground=None):
            return super().labels(maps) * 70000

    Image.fromarray(TWO).save(folder / "a.png")
    assert predict(Gaps(), folder, folder / "out", table=True) == 0
    objects = pd.read_csv(folder / "out" / "objects.csv")
    pixels = tifffile.imread(folder / "out" / "a.tif")
    assert objects["label"].to_list() == list(np.unique(pixels[pixels > 0])) == [70000, 140000]
    assert objects["area_px"].to_list() == [6, 9]


@pytest.mark.parametrize("name", [b"latin\xe9.png", b"=1+1.png"])
def test_a_name_that_is_no_text_or_a_formula(folder, name):
    file = Path(os.fsdecode(bytes(folder) + b"/" + name))
    Image.fromarray(TWO).save(file)
    assert predict(Threshold(), folder, folder / "out", table=True, also="coco") == 0
    assert (folder / "out" / file.name).exists()
    (listed,) = pd.read_csv(folder / "out" / "counts.csv")["image"]
    assert listed == {b"latin\xe9.png": "latin\ufffd.png", b"=1+1.png": "./=1+1.png"}[name]
    assert set(pd.read_csv(folder / "out" / "objects.csv")["image"]) == {listed}


def test_a_second_call_goes_on_where_the_first_was_stopped(three, capsys):
    out = three / "out"  # in the folder of the images, and yet none of them
    assert predict(Threshold(), three, out) == 0
    (out / "b.png").unlink()
    before = (out / "a.png").stat().st_mtime_ns
    model = Threshold()
    assert predict(model, three, out) == 0
    assert model.seen == 1
    assert names(out) == ["a.png", "b.png", "c.png"]
    assert (out / "a.png").stat().st_mtime_ns == before
    assert f"2 of 3 images have labels in {out}" in capsys.readouterr().out


def test_overwrite_segments_again(three):
    assert predict(Threshold(), three, three / "out", format="tif") == 0
    model = Threshold()
    assert predict(model, three, three / "out", overwrite=True) == 0
    assert model.seen == 3
    assert names(three / "out") == ["a.png", "b.png", "c.png"]


def test_tables_and_pictures_are_made_from_labels_that_are_there(three):
    """As if all had been asked for at once."""
    assert predict(Threshold(), three, three / "at once", overlay=True, table=True) == 0
    assert predict(Threshold(), three, three / "out") == 0
    (three / "out" / "c.png").unlink()
    model = Threshold()
    assert predict(model, three, three / "out", overlay=True, table=True) == 0
    assert model.seen == 1
    assert names(three / "out") == names(three / "at once")
    for name in names(three / "out"):
        assert (three / "out" / name).read_bytes() == (three / "at once" / name).read_bytes()


def test_labels_that_are_there_may_be_unfit(three, capsys):
    out = three / "out"
    out.mkdir()
    Image.fromarray(np.zeros((3, 3), np.uint16)).save(out / "a.png")
    (out / "b.png").write_text("nothing")
    assert predict(Threshold(), three, out, overlay=True) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "a.png is not of the size" in first
    assert "b.png" in second
    assert (out / "c.png").exists()


def test_a_single_file(three):
    assert predict(Threshold(), three / "b.png", three / "out") == 0
    assert names(three / "out") == ["b.png"]


def test_nothing_is_done_where_nothing_can_be_written(three):
    model = Threshold()
    (three / "file").touch()
    for out in (three / "file", three):
        with pytest.raises(StudyError, match="give"):
            predict(model, three, out)
    with pytest.raises(StudyError, match="does not exist"):
        predict(model, three / "absent", three / "out")
    assert model.seen == 0
    assert not (three / "out").exists()


def test_a_full_disk_ends_the_call(three, monkeypatch):
    def full(self, file, *_, **__):
        if Path(file).parent.name == "out":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(StudyError, match=r"No space left on device; free disk space"):
        predict(Threshold(), three, three / "out")
    assert names(three / "out") == []


def test_the_network_runs_in_the_thread_that_calls(three):
    model = Threshold()
    predict(model, three, three / "out")
    assert model.threads == {threading.current_thread()}


def test_a_stop_leaves_whole_files_only(folder):
    class Stopped(Threshold):
        def maps(self, image):
            if self.seen == 12:
                raise KeyboardInterrupt
            return super().maps(image)

    for k in range(20):
        Image.fromarray(TWO).save(folder / f"{k:02d}.png")
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        predict(Stopped(), folder, folder / "out", overlay=True, table=True)
    assert not [name for name in names(folder / "out") if name.endswith(".partial")]
    for file in (folder / "out").glob("*.png"):
        np.testing.assert_array_equal(read_labels(file), FOUND)
    assert not [thread for thread in threading.enumerate() if "Executor" in thread.name and thread not in before]
    assert predict(Threshold(), folder, folder / "out") == 0
    assert len(list((folder / "out").glob("*.png"))) == 20


def test_few_images_wait(folder, monkeypatch):
    """Neither reading nor the network runs far ahead of a slow clustering."""
    monkeypatch.setattr(module, "_PIXELS_AHEAD", 3 * TWO.size)
    monkeypatch.setattr(module, "_BYTES_AHEAD", 1)
    read, done, ahead = [], [], []

    class Slow(Threshold):
        def maps(self, image):
            ahead.append((len(read) - self.seen, self.seen - len(done)))
            return super().maps(image)

        def labels(self, maps, foreground=None):
            time.sleep(0.01)
            done.append(maps)
            return super().labels(maps)

    real = module.read_planes
    monkeypatch.setattr(module, "read_planes", lambda *given: read.append(given) or real(*given))
    for k in range(30):
        Image.fromarray(TWO).save(folder / f"{k:02d}.png")
    predict(Slow(), folder, folder / "out")
    assert max(files for files, _ in ahead) <= 2
    assert 1 < max(maps for _, maps in ahead) <= 4


def test_all_steps_go_on_side_by_side(folder, monkeypatch):
    """Each waits until the next image is where it could not be if one step waited for another."""
    for k in range(6):
        Image.fromarray(TWO + k).save(folder / f"{k}.png")
    reached = {(step, k): threading.Event() for step in ("read", "maps") for k in range(9)}
    late = []

    def wait(step, k):
        if k < 6 and not reached[step, k].wait(10):
            late.append((step, k))

    class Waiting(Threshold):
        def maps(self, image):
            k = int(image.min())
            reached["maps", k].set()
            wait("read", k + 1)
            return super().maps(image)

        def labels(self, maps, foreground=None):
            wait("maps", int(maps.image.min()) + 1)
            return super().labels(maps)

    def read(file, part):
        reached["read", int(file.stem)].set()
        return read_planes(file, part)

    def write(self, name, labels, planes):
        wait("maps", int(name) + 2)
        write_labels(self, name, labels, planes)

    write_labels = module.Outputs.write_labels
    monkeypatch.setattr(module, "read_planes", read)
    monkeypatch.setattr(module, "_WORKERS", 2)
    monkeypatch.setattr(module.Outputs, "write_labels", write)
    assert predict(Waiting(), folder, folder / "out") == 0
    assert late == []


def test_counts_and_what_the_images_are_like_are_told(three, capsys):
    Image.fromarray(np.zeros((4, 30, 3), np.uint8)).save(three / "d.png")
    assert predict(Threshold(), three, three / "out") == 0
    *counts, said = capsys.readouterr().out.splitlines()
    assert counts == ["a: 2 objects", "b: 2 objects", "c: 2 objects", "d: 0 objects"]
    assert said == f"4 images segmented (grey and colour, 4 to 30 px) with 6 objects, 0 failed; labels in {three}/out"


def test_counts_of_many_images_are_told_together(folder, capsys):
    for k in range(21):
        Image.fromarray(TWO if k else 0 * TWO).save(folder / f"{k}.png")
    assert predict(Threshold(), folder, folder / "out") == 0
    counts, said = capsys.readouterr().out.splitlines()
    assert counts == "objects of an image: 0 to 2, median 2"
    assert said.startswith("21 images segmented (grey, 8 to 9 px) with 40 objects, 0 failed")


def test_objects_of_a_volume_are_counted_once(folder, capsys):
    class OfVolumes(Threshold):
        volumes = True

        def labels(self, maps, foreground=None):
            return label(maps.image[..., 0] > 100, connectivity=1).astype(np.int32)

    tifffile.imwrite(folder / "a.tif", np.stack([TWO, TWO, TWO]), photometric="minisblack")
    assert predict(OfVolumes(), folder, folder / "out") == 0
    assert "a: 2 objects" in capsys.readouterr().out


def test_a_table_of_labels_that_are_there_has_the_intensities(three):
    out = three / "out"
    assert predict(Threshold(), three, out) == 0
    assert predict(Threshold(), three, out, table=True) == 0
    assert pd.read_csv(out / "objects.csv")["intensity_mean"].to_list() == [200, 150] * 3
