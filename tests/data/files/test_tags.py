import numpy as np
import pytest
from PIL import Image

from study.data.files.tags import orientation_of

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
