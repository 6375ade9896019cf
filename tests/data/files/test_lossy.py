import numpy as np
import pytest
import tifffile
from PIL import Image

from study.data.files.lossy import lossy_format
from study.data.files.reading import read_labels
from study.errors import StudyError

IDS = np.arange(8 * 8, dtype=np.uint8).reshape(8, 8)
COLOURS = np.stack([IDS] * 3, axis=-1)


def refused(path, words):
    return pytest.raises(StudyError, match=f"{path} is compressed by {words} values: save labels as PNG or TIFF")


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("JPEG", {}, "JPEG, which changes"),
        ("WEBP", {"quality": 60}, "WebP, which changes"),
        ("JPEG2000", {"irreversible": True}, "JPEG 2000, which changes"),
        ("AVIF", {}, "AVIF, which may change"),
    ],
)
def test_lossy_pictures_are_refused_whatever_they_are_called(tmp_path, name, options, words):
    Image.fromarray(IDS).save(tmp_path / "a.png", name, **options)
    with refused(tmp_path / "a.png", words):
        read_labels(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("compression", "options", "words"),
    [
        ("jpeg", {}, "JPEG, which changes"),
        ("webp", {"lossless": False}, "WebP, which changes"),
        ("jpeg2000", {"level": 20, "reversible": False}, "JPEG 2000, which changes"),
        ("lerc", {"level": 3.0}, "LERC, which changes"),
        ("jpegxl", {"lossless": False}, "JPEG XL, which may change"),
        ("jpegxr", {"level": 50}, "JPEG XR, which may change"),
    ],
)
def test_lossy_tiff_is_refused(tmp_path, compression, options, words):
    pixels = COLOURS if compression == "webp" else IDS
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression=compression, compressionargs=options)
    with refused(tmp_path / "a.tif", words):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("compression", "options"),
    [
        ("jpeg", {"lossless": True}),
        ("webp", {"lossless": True}),
        ("jpeg2000", {"reversible": True}),
        ("lerc", {}),
        ("zstd", {}),
        ("png", {}),
    ],
)
def test_tiff_without_loss_is_read(tmp_path, compression, options):
    pixels = COLOURS if compression == "webp" else IDS
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression=compression, compressionargs=options)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), IDS)


@pytest.mark.parametrize(("name", "options"), [("WEBP", {"lossless": True}), ("JPEG2000", {}), ("PNG", {})])
def test_pictures_without_loss_are_read(tmp_path, name, options):
    Image.fromarray(IDS).save(tmp_path / "a.png", name, **options)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), IDS)


def test_nothing_is_known_of_files_that_cannot_be_read(tmp_path):
    (tmp_path / "b.png").write_bytes(b"II*\0 broken")
    assert lossy_format(tmp_path / "b.png") == lossy_format(tmp_path / "absent.png") == ""
