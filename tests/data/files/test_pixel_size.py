import numpy as np
import pytest
import tifffile
from PIL import Image

from study.data.files.pixel_size import pixel_size_of

PIXELS = np.zeros((4, 5), np.uint8)
STACK = np.zeros((3, 4, 5), np.uint8)


def sizes(x, y, **more):
    return {"axes": "ZYX", "PhysicalSizeX": x, "PhysicalSizeY": y, **more}


@pytest.mark.parametrize(
    ("about", "size"),
    [
        (sizes(0.25, 0.5), (1, 0.5, 0.25)),
        (sizes(0.25, 0.5, PhysicalSizeZ=2.0), (2, 0.5, 0.25)),
        (sizes(250, 500, PhysicalSizeXUnit="nm", PhysicalSizeYUnit="nm"), (1, 0.5, 0.25)),
        (sizes(1, 1, PhysicalSizeXUnit="pixel", PhysicalSizeYUnit="pixel"), None),
        (sizes(0.25, 0), None),
        ({"axes": "ZYX"}, None),
    ],
)
def test_ome(tmp_path, about, size):
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, ome=True, metadata=about)
    assert pixel_size_of(tmp_path / "a.ome.tif") == (size and pytest.approx(size))


@pytest.mark.parametrize(
    ("unit", "size"),
    [("um", (2, 0.5, 0.25)), ("micron", (2, 0.5, 0.25)), ("\\u00B5m", (2, 0.5, 0.25)), ("nm", (2e-3, 5e-4, 25e-5))],
)
def test_imagej(tmp_path, unit, size):
    about = {"axes": "ZYX", "spacing": 2.0, "unit": unit}
    tifffile.imwrite(tmp_path / "a.tif", STACK, imagej=True, resolution=(4, 2), metadata=about)
    assert pixel_size_of(tmp_path / "a.tif") == pytest.approx(size)


def test_imagej_without_unit(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK, imagej=True, metadata={"axes": "ZYX"})
    assert pixel_size_of(tmp_path / "a.tif") is None


@pytest.mark.parametrize(
    ("resolution", "unit", "size"),
    [
        ((40_000, 20_000), "CENTIMETER", (1, 0.5, 0.25)),
        ((25_400, 12_700), "INCH", (1, 2, 1)),
        ((72, 72), "INCH", None),  # what programs write that know nothing
        ((1, 1), "NONE", None),
    ],
)
def test_resolution(tmp_path, resolution, unit, size):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, resolution=resolution, resolutionunit=unit, metadata=None)
    assert pixel_size_of(tmp_path / "a.tif") == (size and pytest.approx(size))


def test_other_files(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png", dpi=(300, 300))
    (tmp_path / "b.tif").write_bytes(b"II*\0 cut off")
    assert [pixel_size_of(tmp_path / name) for name in ("a.png", "b.tif", "absent.tif")] == [None] * 3
