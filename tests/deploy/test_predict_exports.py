import json

import numpy as np
import pytest
import roifile
import tifffile
from PIL import Image

from study.data.files.coco import coco_records
from study.deploy.predict import predict
from study.errors import StudyError
from tests.deploy.stand_in import FOUND, TWO, Threshold, names

ALL = "rois,geojson,coco"


@pytest.fixture
def folder(tmp_path):
    """An image, a stack, and a broken file."""
    place = tmp_path / "images"
    place.mkdir()
    Image.fromarray(TWO).save(place / "a.png")
    tifffile.imwrite(place / "b.tif", np.stack([TWO, 0 * TWO, TWO, TWO]), imagej=True, metadata={"axes": "ZYX"})
    (place / "c.png").write_text("no image")
    return place


def content(folder):
    """File -> what it holds; a zip tells the time."""
    return {
        name: [region.tobytes() for region in roifile.roiread(folder / name)]
        if name.endswith("zip")
        else (folder / name).read_bytes()
        for name in names(folder)
    }


def test_all_exports(folder):
    assert predict(Threshold(), folder, folder / "out", also=ALL) == 1
    assert names(folder / "out") == [
        *("a.png", "b.tif", "coco.json"),
        *("geojson/a.geojson", "geojson/b.geojson", "rois/a.zip", "rois/b.zip"),
    ]
    (record,) = coco_records(folder / "out" / "coco.json", {"a": [folder / "a.png"]}, ["a"])
    np.testing.assert_array_equal(record.load().labels, FOUND)
    listed = json.loads((folder / "out" / "coco.json").read_text())["images"]
    assert [(image["file_name"], image.get("plane")) for image in listed] == [
        ("a.png", None),
        *(("b.tif", plane) for plane in range(4)),
    ]
    assert {region.position for region in roifile.roiread(folder / "out" / "rois" / "b.zip")} == {1, 3, 4}


def test_exports_are_made_from_labels_that_are_there(folder):
    """As if all had been asked for at once."""
    predict(Threshold(), folder, folder / "at once", also=ALL)
    predict(Threshold(), folder, folder / "out", also="geojson")
    assert not (folder / "out" / "coco.json").exists()
    (folder / "out" / "a.png").unlink()
    model = Threshold()
    predict(model, folder, folder / "out", also=ALL)
    assert model.seen == 1
    assert content(folder / "out") == content(folder / "at once")


def test_other_labels_take_their_exports_along(folder):
    predict(Threshold(), folder, folder / "out", also="rois")
    predict(Threshold(), folder, folder / "out", overwrite=True)
    assert names(folder / "out") == ["a.png", "b.tif"]


def test_an_unknown_export_is_refused_before_anything_is_done(folder):
    model = Threshold()
    with pytest.raises(StudyError, match=r"geojsn.*geojson"):
        predict(model, folder, folder / "out", also="rois,geojsn")
    assert model.seen == 0
    assert not (folder / "out").exists()


@pytest.mark.parametrize("order", ["TZYX", "ZTYX"])
def test_a_series_of_stacks_keeps_its_axes_and_sizes(tmp_path, order):
    """Two time points of three planes, of which each has its own objects."""
    (tmp_path / "images").mkdir()
    pixels = np.zeros((2, 3, *TWO.shape), np.uint8)
    pixels[0, 1], pixels[1, 2] = TWO, TWO[:, ::-1]
    stored = pixels if order == "TZYX" else pixels.swapaxes(0, 1)
    sizes = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 500, "PhysicalSizeZUnit": "nm"}
    tifffile.imwrite(tmp_path / "images" / "a.ome.tif", stored, ome=True, metadata={"axes": order, **sizes})
    assert predict(Threshold(), tmp_path / "images", tmp_path / "out", overlay=True, also="rois") == 0
    with tifffile.TiffFile(tmp_path / "out" / "a.tif") as file:
        assert file.series[0].axes == "TZYX"
        labels = file.asarray()
        assert (file.imagej_metadata["unit"], file.imagej_metadata["spacing"]) == ("um", 0.5)
    np.testing.assert_array_equal(labels > 0, pixels > 0)
    assert tifffile.imread(tmp_path / "out" / "overlays" / "a.tif").shape == (2, 3, *TWO.shape, 3)
    places = {(region.t_position, region.z_position) for region in roifile.roiread(tmp_path / "out" / "rois" / "a.zip")}
    assert places == {(1, 2), (2, 3)}


def test_each_time_point_is_a_volume(tmp_path):
    class Volumes(Threshold):
        volumes = True

        def labels(self, maps, foreground=None):
            return np.full(maps.image.shape[:-1], maps.image.max(), np.int32)

    (tmp_path / "images").mkdir()
    tifffile.imwrite(
        tmp_path / "images" / "a.tif",
        np.stack([[0 * TWO, TWO, TWO], [TWO // 2] * 3]),
        imagej=True,
        metadata={"axes": "TZYX"},
    )
    assert predict(Volumes(), tmp_path / "images", tmp_path / "out") == 0
    labels = tifffile.imread(tmp_path / "out" / "a.tif")
    assert labels.shape == (2, 3, *TWO.shape)
    assert [sorted(np.unique(volume)) for volume in labels] == [[200], [100]]
