import io

import numpy as np
import pytest
from PIL import Image

from study.data import Dataset, Record, open_dataset
from study.data.check import check
from study.data.settings import Data

PIECES = np.array([[5, 0, 5, 2], [0, 0, 0, 2], [9, 0, 0, 0], [0, 9, 0, 0]], np.int32)  # 5 in two; 9 meets at a corner


def _record(name, image, labels=PIECES):
    return Record(name, lambda: (np.asarray(image, np.uint8).reshape(*labels.shape, -1), labels))


def _float_record(name, image):
    return Record(name, lambda: (np.asarray(image, np.float32).reshape(4, 4, 1), PIECES))


def _report(train, val=None, test=None):
    other = np.eye(4) * 3
    splits = {
        "train": tuple(train),
        "val": (_record("v", other),) if val is None else val,
        "test": (_record("t", 2 * other),) if test is None else test,
    }
    return check(Dataset("x", splits, False, "by hand", left_out=("u: in no list",)))


def test_counts():
    small = np.zeros((2, 3), np.int32)
    report = _report([_record("a", np.arange(16)), _record("b", np.arange(6), small)])
    assert report.defects == ()
    lines = str(report).splitlines()
    assert lines[0] == "x: 4 images, 9 objects"
    assert lines[1] == (
        "train     2 images of 2 x 3 to 4 x 4 px, uint8, 1 channel; 3 objects: 0 to 3 per image, mean 1.5; "
        "1 without objects; 33.3% of the ids in several components"
    )
    assert lines[4:] == ["split: by hand", "left out: u: in no list", "no defects found"]


def test_groups_are_counted_where_there_are_any():
    wells = [Record(f"a{i}", lambda i=i: (PIECES[..., None] + i, PIECES), group="a01") for i in range(2)]
    report = _report([*wells, _record("b", np.arange(16))])
    assert [line.endswith("; 2 groups") for line in str(report).splitlines()[1:4]] == [True, False, False]


def test_goes_on_after_a_defect():
    broken = Record("b", lambda: (np.zeros((1, 2, 1), np.uint8), np.zeros((2, 2), np.int32)))
    report = _report(
        [Record("a", lambda: (PIECES, PIECES), fault="a.png is gone"), broken, _record("c", np.arange(16))]
    )
    assert len(report.splits[0].facts) == 1
    assert len(report.splits[0].records) == 3
    assert report.defects[0] == "a.png is gone"
    assert "1 x 2 px" in report.defects[1]
    assert str(report).endswith("\n2 defects found")


def test_split_without_a_readable_image():
    report = _report([Record("a", lambda: (PIECES, PIECES), fault="a.png is gone")])
    assert "train     1 images, none readable" in str(report)
    assert str(report).endswith("defect: a.png is gone\n1 defect found")


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ([_record("a", np.full((4, 4), 7))], "a (train) has the value 7 at every pixel"),
        ([_record("a", np.arange(16)), _record("b", np.arange(16))], "b (train) has the same pixels as a (train)"),
        (
            [_record("a", np.arange(16)), _float_record("b", np.arange(16))],
            "b (train) has the same pixels as a (train)",
        ),
        ([_record("a", np.eye(4) * 3)], "v (val) has the same pixels as a (train)"),
        ([_record("a", np.arange(48))], "images have 1 or 3 channels"),
    ],
)
def test_defects(train, words):
    (defect,) = _report(train).defects
    assert defect.startswith(words)


def test_empty_split_is_a_defect():
    (defect,) = _report([_record("a", np.arange(16))], test=()).defects
    assert defect == "split test has no images: by hand"


def test_foreground_masks_are_told():
    mask = (PIECES > 0).astype(np.int32) * 255
    report = _report([_record("a", np.arange(16), mask)], val=(_record("b", np.eye(4), mask),), test=())
    assert report.defects[-1].startswith("no image has more than one id")


def _blobs():
    labels = np.zeros((64, 64), np.uint8)
    for i in range(5):
        labels[8 + 10 * i : 16 + 10 * i, 8:40] = 40 * (i + 1)
    return labels


@pytest.mark.parametrize("by", ["jpeg", "interpolation"])
def test_labels_that_were_a_picture_are_told(by):
    picture = Image.fromarray(_blobs())
    if by == "jpeg":
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=85)
        picture = Image.open(file)
    else:
        picture = picture.rotate(10, Image.Resampling.BILINEAR).resize((96, 96), Image.Resampling.BILINEAR)
    labels = np.array(picture).astype(np.int32)
    report = _report([Record("a", lambda: (labels[..., None].astype(np.uint8), labels))])
    assert "in 1 of 3 images most ids are in several pieces" in report.defects[-1]
    kept = _blobs().astype(np.int32)
    assert _report([Record("a", lambda: (kept[..., None].astype(np.uint8), kept))]).defects == ()


def _suspicious(report):
    return {image.record.name: image.words for image in report.suspicious}


ROWS = np.array([[1, 1, 1, 0], [0, 0, 0, 0], [2, 2, 2, 2], [0, 0, 0, 0]], np.int32)


def test_splits_without_objects_are_told():
    empty = np.zeros((4, 4), np.int32)
    report = _report([_record("a", np.arange(16), ROWS)], val=(_record("v", np.eye(4), empty),))
    assert report.defects == ("no image of split val has an object: look whether the labels are the right ones",)
    assert _suspicious(report)["v"] == "no objects"


def test_images_that_should_be_looked_at(tmp_path):
    file = tmp_path / "masks" / "1.png"
    masks = f"{file} lies wholly under other masks: remove it, or the one above it"
    settled = Record("s", lambda: (np.eye(4)[..., None], ROWS), (file,), settled=lambda: [masks])
    broken = Record("x", lambda: (ROWS, ROWS), (file,), fault=f"{file} has no labels in {tmp_path}/labels: add it")
    unequal = Record("u", lambda: (ROWS[:, :2, None], ROWS), (file,))
    tiny = np.array([[1, 1, 1], [0, 0, 2], [3, 0, 2]], np.int32)
    train = [_record("t", np.arange(9), tiny), _record("sound", np.arange(16) * 2, ROWS), settled, broken, unequal]
    train += [_record("c", np.full((4, 4), 7), ROWS)]
    train += [_record(name, np.arange(16), ROWS) for name in "ab"] + [_record("rgb", np.arange(48), ROWS)]
    found = _suspicious(_report(train, val=(), test=()))
    assert found == {
        "s": "1.png lies wholly under other masks",
        "x": "1.png has no labels in labels",
        "u": "the image has 4 x 2 px but the labels have 4 x 4 px",
        "c": "the value 7 at every pixel",
        "a": "same pixels as b (train)",
        "b": "same pixels as a (train)",
        "rgb": "3 channels, most others 1",
        "t": "2 objects of at most 2 px",
    }
    assert list(found)[-1] == "t"  # behind all defects


def test_what_reading_settles_is_told():
    record = Record("a", lambda: (PIECES[..., None].astype(np.uint8), PIECES), settled=lambda: ["masks overlap"])
    assert _report([record]).defects == ("masks overlap",)


def test_orientation_tags_are_told(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIECES.astype(np.uint8)).save(tmp_path / "a.png", exif=exif)
    image = PIECES[..., None].astype(np.uint8)
    (defect,) = _report([Record("a", lambda: (image, PIECES), (tmp_path / "a.png",))]).defects
    assert defect.startswith(f"1 file has an orientation tag ({tmp_path / 'a.png'})")


def test_turned_labels_are_told():
    record = Record("a", lambda: (np.zeros((2, 3, 1), np.uint8), np.ones((3, 2), np.int32)))
    assert "as if one of them had been turned by a quarter" in _report([record]).defects[0]


def test_volumes_are_checked():
    assert check(open_dataset(Data(name="neurites", planes=4, side=32))).defects == ()


def test_synthetic_images_have_no_defect():
    assert check(open_dataset(Data(images=6))).defects == ()
