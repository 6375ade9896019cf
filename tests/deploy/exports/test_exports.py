import json

import numpy as np
import pytest
import roifile

from study.data.files.coco import coco_records
from study.deploy.exports import EXPORTS, exports_named
from study.deploy.exports.coco import coco_images, write_coco
from study.deploy.exports.geojson import write_geojson
from study.deploy.exports.rois import write_rois
from study.deploy.images import Planes
from study.errors import StudyError
from tests.deploy.redrawing import ODD, RING, inside

SINGLE = Planes([])
LABELS = [*map(np.array, ODD.values())]


def drawn_geojson(file, shape, plane=None):
    labels = np.zeros(shape, int)
    for feature in json.loads(file.read_text())["features"]:
        geometry, about = feature["geometry"], feature["properties"]
        if about.get("plane") != plane:
            continue
        several = geometry["type"] == "MultiPolygon"
        for polygon in geometry["coordinates"] if several else [geometry["coordinates"]]:
            assert all(ring[0] == ring[-1] for ring in polygon)
            labels[inside([ring[:-1] for ring in polygon], shape)] += about["label"]
        assert about["area"] == (labels == about["label"]).sum()
    return labels


def drawn_regions(regions, shape):
    labels = np.zeros(shape, int)
    for region in regions:
        rings = region.coordinates(multi=True)
        mask = inside(rings, shape)
        rows, columns = np.nonzero(mask)
        assert (region.top, region.left) == (rows.min(), columns.min())
        labels[mask] += int(region.name.rpartition("-")[2])
    return labels


@pytest.mark.parametrize("labels", LABELS, ids=ODD)
def test_a_geojson_is_drawn_again_to_the_pixel(tmp_path, labels):
    write_geojson(tmp_path / "a.geojson", [labels], SINGLE)
    np.testing.assert_array_equal(drawn_geojson(tmp_path / "a.geojson", labels.shape), labels)


@pytest.mark.parametrize("labels", LABELS, ids=ODD)
def test_regions_are_drawn_again_to_the_pixel(tmp_path, labels):
    write_rois(tmp_path / "a.zip", [labels], SINGLE)
    regions = roifile.roiread(tmp_path / "a.zip")
    np.testing.assert_array_equal(drawn_regions(regions, labels.shape), labels)


@pytest.mark.parametrize("labels", LABELS, ids=ODD)
def test_run_lengths_are_drawn_again_to_the_pixel(tmp_path, labels):
    write_coco(tmp_path / "coco.json", coco_images("a.png", [labels]))
    content = json.loads((tmp_path / "coco.json").read_text())
    assert content["images"] == [{"id": 1, "file_name": "a.png", "height": labels.shape[0], "width": labels.shape[1]}]
    drawn = np.zeros_like(labels)
    for found in content["annotations"]:
        mask = unpacked(**found["segmentation"])
        assert found["area"] == mask.sum()
        x, y, width, height = found["bbox"]
        rows, columns = np.nonzero(mask)
        assert (y, y + height, x, x + width) == (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)
        drawn[mask] += found["label"]
    np.testing.assert_array_equal(drawn, labels)
    assert [found["id"] for found in content["annotations"]] == list(range(1, len(np.unique(labels[labels > 0])) + 1))


def unpacked(size, counts):
    """Run lengths as pycocotools describes its text: 6 bits a character, the lowest first."""
    lengths, position = [], 0
    while position < len(counts):
        value, bits = 0, 0
        while True:
            code = ord(counts[position]) - 48
            value |= (code & 31) << bits
            bits, position = bits + 5, position + 1
            if not code & 32:
                break
        value -= (1 << bits) if code & 16 else 0
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
    pixels = [number % 2 == 1 for number, length in enumerate(lengths) for _ in range(length)]
    return np.array(pixels).reshape(size[::-1]).T


def test_the_study_reads_its_coco_as_labels(tmp_path, write_folder):
    root = write_folder(tmp_path / "set", count=1, shape=(4, 4))
    write_coco(tmp_path / "coco.json", coco_images("cell0.png", [np.array(RING)]))
    (record,) = coco_records(tmp_path / "coco.json", {"cell0": [root / "images" / "cell0.png"]})
    np.testing.assert_array_equal(record.load().labels, RING)


def test_objects_of_a_stack_tell_their_plane(tmp_path):
    planes = [np.array([[0, 2], [2, 2]]), np.array([[0, 0], [0, 0]]), np.array([[1, 0], [0, 0]])]
    stack = Planes([], "Z", (3,))
    write_geojson(tmp_path / "a.geojson", planes, stack)
    for plane, labels in enumerate(planes):
        np.testing.assert_array_equal(drawn_geojson(tmp_path / "a.geojson", (2, 2), plane), labels)
    write_rois(tmp_path / "a.zip", planes, stack)
    assert [(region.name, region.position) for region in roifile.roiread(tmp_path / "a.zip")] == [
        ("0001-0002", 1),
        ("0003-0001", 3),
    ]
    write_coco(tmp_path / "coco.json", coco_images("a.tif", planes))
    content = json.loads((tmp_path / "coco.json").read_text())
    assert [image["plane"] for image in content["images"]] == [0, 1, 2]
    assert [found["image_id"] for found in content["annotations"]] == [1, 3]


def test_regions_of_a_series_of_stacks_lie_on_their_slice_and_frame(tmp_path):
    planes = [np.array([[k % 2]]) for k in range(6)]
    write_rois(tmp_path / "a.zip", planes, Planes([], "TZ", (2, 3)))
    regions = roifile.roiread(tmp_path / "a.zip")
    assert [(region.t_position, region.z_position) for region in regions] == [(1, 2), (2, 1), (2, 3)]


def test_regions_far_from_the_corner(tmp_path):
    """Where whole numbers of 16 bits end."""
    labels = np.zeros((2, 70_000), int)
    labels[0, 65_000:65_010] = 3
    labels[1, 32_760:32_780] = 4
    write_rois(tmp_path / "a.zip", [labels], SINGLE)
    for region in roifile.roiread(tmp_path / "a.zip"):
        mask = inside(region.coordinates(multi=True), labels.shape)
        np.testing.assert_array_equal(mask, labels == int(region.name))


def test_names():
    assert exports_named("") == ()
    assert exports_named("rois,coco,rois") == ("rois", "coco")
    with pytest.raises(StudyError, match="roi"):
        exports_named("roi")
    assert set(EXPORTS) < {"rois", "geojson", "coco"}
