import numpy as np
import pytest
import tifffile
from PIL import Image

from study.data.files.lossy import lossy_format
from study.data.files.reading import read_labels
from study.data.files.tags import orientation_of
from study.errors import StudyError

PICTURE = Image.fromarray(np.arange(8 * 8, dtype=np.uint8).reshape(8, 8))


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_orientation(tmp_path, suffix, orientation):
    file = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    PICTURE.save(file, exif=exif)
    assert orientation_of(file) == orientation


def test_nothing_is_said_of_other_files(tmp_path):
    PICTURE.save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"II*\0 broken")
    for name in ("a.png", "b.png", "absent.png"):
        assert orientation_of(tmp_path / name) == 1
        assert lossy_format(tmp_path / name) == ""


def test_lossy_labels_are_refused_whatever_they_are_called(tmp_path):
    PICTURE.save(tmp_path / "jpeg.png", "JPEG")
    PICTURE.save(tmp_path / "tiff.tif", compression="jpeg")
    PICTURE.save(tmp_path / "webp.png", "WEBP", quality=60)
    for name, words in (("jpeg.png", "JPEG"), ("tiff.tif", "JPEG"), ("webp.png", "WebP")):
        assert lossy_format(tmp_path / name) == words
        with pytest.raises(StudyError, match=f"{tmp_path / name} is compressed by {words}, which changes values"):
            read_labels(tmp_path / name)


def test_lossless_labels_are_read(tmp_path):
    PICTURE.save(tmp_path / "webp.png", "WEBP", lossless=True)
    tifffile.imwrite(tmp_path / "tiff.tif", np.asarray(PICTURE), compression="jpeg", compressionargs={"lossless": True})
    for name in ("webp.png", "tiff.tif"):
        np.testing.assert_array_equal(read_labels(tmp_path / name), np.asarray(PICTURE))
