import os
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from study.data.files.reading import as_image, as_labels, read_image, read_labels, reading_hdf5
from study.errors import StudyError

GREY = np.array([[0, 1, 2], [250, 7, 255]], np.uint8)
RGB = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
DEEP = np.array([[0, 256, 65535], [3, 40000, 5]], np.uint16)


def refused(path, words):
    """The call names the path and says `words`, in one sentence of one line."""
    return pytest.raises(StudyError, match=f"(?=.*{re.escape(str(path))})(?=.*{words})\\A[^\n]*\\Z")


@pytest.mark.parametrize("pixels", [GREY, DEEP], ids=["8-bit", "16-bit"])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
def test_grey_images_and_labels_are_read_exactly(tmp_path, pixels, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(pixels).save(path)
    image, labels = read_image(path), read_labels(path)
    assert image.dtype == pixels.dtype
    assert image.flags.writeable
    np.testing.assert_array_equal(image, pixels[..., None])
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, pixels)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_rgb_is_read_exactly_and_alpha_dropped(tmp_path, suffix):
    rgba = np.dstack([RGB, np.full((2, 3), 9, np.uint8)])
    for pixels in (RGB, rgba):
        path = tmp_path / f"a{suffix}"
        Image.fromarray(pixels).save(path)
        image = read_image(path)
        np.testing.assert_array_equal(image, RGB)
        assert image.flags.c_contiguous


def test_grey_with_alpha_is_grey(tmp_path):
    Image.fromarray(np.dstack([GREY, GREY[::-1]])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), GREY[..., None])
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), GREY)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_palette_gives_the_index_of_labels_and_the_colour_of_images(tmp_path, suffix):
    indexed = Image.fromarray(GREY)
    indexed.putpalette([255 - i for i in range(256) for _ in range(3)])
    path = tmp_path / f"a{suffix}"
    indexed.save(path)
    np.testing.assert_array_equal(read_labels(path), GREY)
    np.testing.assert_array_equal(read_image(path), 255 - GREY[..., None].repeat(3, 2))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits"])
@pytest.mark.parametrize("pixels", [GREY[..., None], DEEP[..., None], RGB], ids=["8-bit", "16-bit", "rgb"])
def test_compressed_tiff(tmp_path, compression, pixels):
    Image.fromarray(pixels.squeeze()).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), pixels)


def test_tiff_with_separate_planes_and_big_endian_values(tmp_path):
    deep = RGB.astype(np.uint16) * 999
    tifffile.imwrite(
        tmp_path / "a.tif", np.moveaxis(deep, -1, 0), planarconfig="separate", photometric="rgb", byteorder=">"
    )
    image = read_image(tmp_path / "a.tif")
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, deep)


def test_float_tiff_becomes_float32(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY / 8.0)
    image = read_image(tmp_path / "a.tif")
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image[..., 0], GREY / 8.0)


@pytest.mark.parametrize(
    ("pixels", "dtype"),
    [
        (np.array([[True, False]]), np.uint8),
        (np.array([[0, 65535]], np.int32), np.uint16),
        (np.array([[0, 65536]], np.uint32), np.float32),
        (np.array([[-1, 2]], np.int16), np.float32),
        (np.array([[0.5, 2]], np.float16), np.float32),
    ],
)
def test_other_pixel_types_keep_their_values(pixels, dtype):
    image = as_image(pixels, "x.tif")
    assert image.dtype == dtype
    np.testing.assert_array_equal(image[..., 0], pixels)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros(4), "has shape"),
        (np.zeros((2, 3, 5)), "has shape"),
        (np.zeros((0, 3)), "no pixels"),
        (np.array([[1.0, np.nan]]), "nan or infinite"),
        (np.array([[1.0, np.inf]]), "nan or infinite"),
        (np.array([[1.0, 1e300]]), "nan or infinite"),
        (np.array([[1j, 2]]), "complex128"),
    ],
)
def test_unfit_images_are_refused(pixels, words):
    with refused("x.tif", words):
        as_image(pixels, "x.tif")


def test_whole_floats_and_equal_channels_are_labels():
    ids = np.array([[0, 3], [70000, 0]])
    for pixels in (ids.astype(np.float64), ids.astype(np.uint32)[..., None].repeat(3, 2), ids.astype(np.int64)):
        labels = as_labels(pixels, "x.tif")
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, ids)
    np.testing.assert_array_equal(as_labels(ids > 0, "x.tif"), [[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.array([[0, 1.5]]), "not whole numbers"),
        (np.array([[0, np.nan]]), "not whole numbers"),
        (np.array([[0, np.inf]]), "too large"),
        (np.array([[0, -3]]), "negative label -3"),
        (np.array([[0, 2**31]]), "too large label 2147483648"),
        (np.array([[2**40]], np.uint64), "too large label 1099511627776"),
        (np.array([[0, 1j]]), "complex128"),
        (np.zeros((0, 3), np.uint8), "no pixels"),
        (np.zeros((2, 3, 7), np.uint8), "has shape"),
        (np.zeros((1, 2, 3, 1), np.uint8), "has shape"),
        (RGB, "by colours"),
    ],
)
def test_unfit_labels_are_refused(pixels, words):
    with refused("x.tif", words):
        as_labels(pixels, "x.tif")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("read", [read_image, read_labels])
def test_damaged_files_are_refused(tmp_path, suffix, read):
    whole = tmp_path / f"whole{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 99, (40, 40), np.uint8)).save(whole)
    data = whole.read_bytes()
    for name, damaged in (
        ("half", data[: len(data) // 2]),
        ("head", data[:30]),
        ("none", b""),
        ("text", b"not an image"),
    ):
        path = tmp_path / f"{name}{suffix}"
        path.write_bytes(damaged)
        with refused(path, "damaged"):
            read(path)
    with refused(tmp_path / f"absent{suffix}", "does not exist"):
        read(tmp_path / f"absent{suffix}")


def test_truncated_tiff_with_its_directory_at_the_end(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(np.random.default_rng(0).integers(0, 99, (40, 40), np.uint8)).save(path, compression="tiff_lzw")
    path.write_bytes(path.read_bytes()[:900])
    with refused(path, "damaged"):
        read_image(path)


def test_stacks_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 4, 4), np.uint8), photometric="minisblack")
    with refused(tmp_path / "a.tif", "5 pages"):
        read_image(tmp_path / "a.tif")
    frames = [Image.fromarray(GREY + i) for i in range(2)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with refused(tmp_path / "a.png", "2 pages"):
        read_labels(tmp_path / "a.png")


def test_hdf5_that_another_program_writes_is_not_damaged(tmp_path):
    file = tmp_path / "a.h5"
    words = f"import h5py, sys; f = h5py.File({str(file)!r}, 'w'); print(1, flush=True); sys.stdin.read()"
    environment = {**os.environ, "HDF5_USE_FILE_LOCKING": "TRUE"}
    command = [sys.executable, "-c", words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(StudyError, match=r"a\.h5 is held by another program.*close it there"), reading_hdf5(file):
            pass
        writer.communicate()
    with reading_hdf5(file) as opened:
        assert len(opened) == 0


@pytest.mark.parametrize(
    ("error", "words"),
    [(PermissionError(13, "no"), "may not be read"), (OSError("no signature"), "cannot open .* damaged")],
)
def test_hdf5_that_cannot_be_opened(tmp_path, monkeypatch, error, words):
    def refuse(*_):
        raise error

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(StudyError, match=words), reading_hdf5(tmp_path / "a.h5"):
        pass
