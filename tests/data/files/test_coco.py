import json

import numpy as np
import pytest
from PIL import Image

from study.data.files.coco import coco_records
from study.errors import StudyError


@pytest.fixture
def records(tmp_path):
    """Records of an image a.png of 4 x 5 px with these segmentations."""

    def make(*shown):
        image = tmp_path / "a.png"
        Image.fromarray(np.zeros((4, 5), np.uint8)).save(image)
        annotations = [{"id": i, "image_id": 1, "segmentation": each} for i, each in enumerate(shown)]
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        file.write_text(json.dumps({"images": [{"id": 1, "file_name": "a.png"}], "annotations": annotations}))
        return coco_records(file, {"a": [image]})

    return make


def packed(counts):
    """Run lengths as pycocotools packs them."""
    text = ""
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            code, value = value & 0x1F, value >> 5
            more = value != (-1 if code & 0x10 else 0)
            text += chr((code | 0x20 if more else code) + 48)
    return text


def test_polygons_hold_the_pixels_whose_middle_is_inside(records):
    (record,) = records([[1, 1, 4, 1, 4, 3, 1, 3], [0, 3, 1, 3, 1, 4, 0, 4]])
    expected = np.zeros((4, 5), int)
    expected[1:3, 1:4] = expected[3, 0] = 1
    np.testing.assert_array_equal(record.load().labels, expected)


@pytest.mark.parametrize("as_text", [False, True])
def test_run_lengths_go_down_the_columns(records, as_text):
    mask = np.random.default_rng(0).random((4, 5)) < 0.5
    flat = mask.T.ravel()
    counts, value = [], False
    start = 0
    while start < flat.size:
        end = next((i for i in range(start, flat.size) if flat[i] != value), flat.size)
        counts.append(end - start)
        start, value = end, not value
    (record,) = records({"size": [4, 5], "counts": packed(counts) if as_text else counts})
    np.testing.assert_array_equal(record.load().labels > 0, mask)


def test_long_runs_in_a_text(records):
    (record,) = records({"size": [4, 5], "counts": packed([17, 2, 1])})
    np.testing.assert_array_equal(np.flatnonzero(record.load().labels.T), [17, 18])


def test_overlaps_are_told(records):
    square = [[0, 0, 2, 0, 2, 2, 0, 2]]
    (record,) = records(square, square)
    (defect,) = record.settled()
    assert "annotation 1 lies wholly under other masks" in defect


def test_images_without_an_entry_and_entries_without_an_image(records, tmp_path):
    records()
    (file,) = tmp_path.glob("*.json")
    faults = {r.name: r.fault for r in coco_records(file, {"b": [tmp_path / "b.png"]})}
    assert "of which there is no image" in faults["a"]
    assert "b.png is not listed in" in faults["b"]


def test_what_is_no_outline(records):
    (record,) = records("circle")
    with pytest.raises(StudyError, match="an object of a is neither polygons nor run lengths"):
        record.load()


def test_names_of_windows(tmp_path, records):
    records()
    file = tmp_path / "windows.json"
    file.write_text(json.dumps({"images": [{"id": 1, "file_name": "images\\a.png"}], "annotations": []}))
    (record,) = coco_records(file, {"a": [tmp_path / "a.png"]})
    assert (record.name, record.fault) == ("a", "")
