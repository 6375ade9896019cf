import sys

import numpy as np
import pytest

from study.data.files.microscopy import Part, read_microscopy
from study.errors import StudyError
from tests.zarrs import write_zarr

PIXELS = np.arange(2 * 3 * 4 * 6 * 8, dtype=np.uint16).reshape(2, 3, 4, 6, 8)


def test_planes_of_a_channel_with_their_axes_and_size(tmp_path):
    file = write_zarr(tmp_path / "a.ome.zarr", PIXELS, "tczyx", channels=["actin", "DNA", "brightfield"])
    for channel, wanted in (("DNA", 1), ("2", 2)):
        (pixels, axes), size = read_microscopy(file, Part(channel))
        assert axes == "TZ"
        np.testing.assert_array_equal(pixels, PIXELS[:, wanted, ..., None])
        assert size == (2.0, 0.25, 0.25)


def test_a_single_plane_has_no_axes(tmp_path):
    (pixels, axes), size = read_microscopy(write_zarr(tmp_path / "a.zarr", PIXELS[0, 0, 0], "yx"))
    assert axes == ""
    np.testing.assert_array_equal(pixels, PIXELS[0, 0, 0, ..., None])
    assert size == (1.0, 0.25, 0.25)


def test_the_channel_must_be_told_where_there_are_several(tmp_path):
    file = write_zarr(tmp_path / "a.zarr", PIXELS[0, :2, 0], "cyx", channels=["actin", "DNA"])
    with pytest.raises(StudyError, match=r"a\.zarr has the channels actin, DNA: choose one by --channel"):
        read_microscopy(file)
    for wrong in ("GFP", "2"):
        with pytest.raises(StudyError, match=f"has the channels actin, DNA, and none is called {wrong}: correct"):
            read_microscopy(file, Part(wrong))
    with pytest.raises(StudyError, match=r"has the scenes .*, and none is called third: correct --scene"):
        read_microscopy(file, Part("DNA", "third"))


@pytest.mark.parametrize("name", ["a.czi", "a.nd2", "a.lif", "a.zarr"])
def test_what_cannot_be_read(tmp_path, name):
    with pytest.raises(StudyError, match=f"{name} does not exist: check the path"):
        read_microscopy(tmp_path / name)
    if name == "a.zarr":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(StudyError, match=f"cannot read {tmp_path}/{name}: replace the file, it is damaged"):
        read_microscopy(tmp_path / name)


def test_without_the_packages(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bioio", None)
    with pytest.raises(StudyError, match=r"a\.czi needs the package bioio: install the extra `formats`, by pip"):
        read_microscopy(tmp_path / "a.czi")
