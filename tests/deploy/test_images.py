import os
import re

import numpy as np
import pytest
import tifffile
from PIL import Image

from study.deploy.images import find_images, read_planes
from study.errors import StudyError

GREY = np.arange(6, dtype=np.uint8).reshape(2, 3)


def refused(path, words):
    """The call names the path and says `words`, in one sentence of one line."""
    return pytest.raises(StudyError, match=f"(?=.*{re.escape(str(path))})(?=.*{words})\\A[^\n]*\\Z")


def test_a_single_image(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    images, axes, shape, _ = read_planes(tmp_path / "a.png")
    assert (axes, shape) == ("", ())
    np.testing.assert_array_equal(images, GREY[None, ..., None])


def test_planes_come_in_the_order_of_the_axes(tmp_path):
    pixels = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": "TZYX"})
    images, axes, shape, _ = read_planes(tmp_path / "a.tif")
    assert (axes, shape) == ("TZ", (2, 3))
    np.testing.assert_array_equal(images, pixels.reshape(6, 4, 5, 1))


def test_a_fault_in_one_plane_names_it(tmp_path):
    pixels = np.zeros((3, 4, 5), np.float32)
    pixels[1, 2, 3] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack")
    with refused(tmp_path / "a.tif", "plane 1, has pixels that are nan"):
        read_planes(tmp_path / "a.tif")


def test_images_of_a_folder(tmp_path):
    for name in ("b.TIF", "a.png", "c d.jpeg", "ä.jpg", "e.tiff", ".hidden.png", "notes.txt", "a.npy"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "below.png").touch()
    assert [file.name for file in find_images(tmp_path)] == ["a.png", "b.TIF", "c d.jpeg", "e.tiff", "ä.jpg"]


def test_a_link_to_nothing_is_listed_and_told_when_read(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    (file,) = find_images(tmp_path)
    with refused(tmp_path / "a.png", "does not exist"):
        read_planes(file)


def test_a_single_file_whatever_it_is_called(tmp_path):
    (tmp_path / ".scan").touch()
    assert find_images(tmp_path / ".scan") == [tmp_path / ".scan"]


def test_folders_without_images(tmp_path):
    (tmp_path / "a.txt").touch()
    with refused(tmp_path, "holds no image that can be read .it holds 1 file .txt"):
        find_images(tmp_path)
    with refused(tmp_path / "absent", "does not exist"):
        find_images(tmp_path / "absent")
    with refused(tmp_path / "a.txt" / "b", "cannot list"):
        find_images(tmp_path / "a.txt" / "b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all folders")
def test_a_folder_without_the_right_to_list_it(tmp_path):
    (tmp_path / "closed").mkdir(0)
    with refused(tmp_path / "closed", "cannot list"):
        find_images(tmp_path / "closed")
