import numpy as np
import pytest
from PIL import Image

from study.errors import StudyError


def _write_tiff(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compression="tiff_lzw")


def _records(dataset):
    return {record.name: record for records in dataset.splits.values() for record in records}


@pytest.fixture
def bbbc006(tmp_path, write_png):
    """Eight fields of which the second has no object; both channels."""
    fields = [f"mcf-z-stacks-03212011_a{i:02d}_s1" for i in range(8)]
    for i, field in enumerate(fields):
        labels = np.array([[0, 0, 0], [0, 0, 300]], np.uint16) * (i != 1)
        write_png(tmp_path / "BBBC006_v1_labels" / f"{field}.png", labels.astype(np.uint16))
        for channel in (1, 2):
            image = np.full((2, 3), 1000 * channel + i, np.uint16)
            _write_tiff(tmp_path / "BBBC006_v1_images_z_16" / f"{field}_w{channel}0A-1{i}.tif", image)
    return fields


def test_bbbc006(bbbc006, opened):
    dataset = opened("bbbc006")
    records = _records(dataset)
    assert sorted(records) == [field for field in bbbc006 if "a01" not in field]
    assert dataset.left_out == (f"{bbbc006[1]}: no objects",)
    assert {split: len(part) for split, part in dataset.splits.items()} == {"train": 2, "val": 1, "test": 4}
    sample = records[bbbc006[5]].load()
    assert sample.image.dtype == np.uint16
    np.testing.assert_array_equal(sample.image, np.full((2, 3, 1), 1005))
    np.testing.assert_array_equal(sample.labels, [[0, 0, 0], [0, 0, 300]])
    assert [*_records(opened("bbbc006", split_seed=1))] != [*records]


def test_the_fields_of_a_well_stay_together(tmp_path, opened, write_png):
    for well in ("a01", "a02", "b01", "b02", "c01"):
        for site in ("s1", "s2"):
            field = f"mcf-z-stacks-03212011_{well}_{site}"
            write_png(tmp_path / "BBBC006_v1_labels" / f"{field}.png", np.eye(3, dtype=np.uint8))
            _write_tiff(tmp_path / "BBBC006_v1_images_z_16" / f"{field}_w10A-1.tif", np.eye(3, dtype=np.uint8))
    for seed in range(8):
        dataset = opened("bbbc006", split_seed=seed)
        wells = [{name.split("_")[1] for name in (r.name for r in part)} for part in dataset.splits.values()]
        assert sum(map(len, wells)) == 5
        assert len(dataset.splits["test"]) in (4, 6)
        assert dataset.splits["train"]
    assert {r.group for r in dataset.splits["test"]} <= {f"mcf-z-stacks-03212011_{w}" for w in set.union(*wells)}
    assert dataset.split_note.endswith("the fields of a well stay together")


def test_bbbc006_tells_damaged_labels_when_they_are_loaded(bbbc006, opened, tmp_path):
    path = tmp_path / "BBBC006_v1_labels" / f"{bbbc006[0]}.png"
    path.write_bytes(b"\x89PNG")
    record = _records(opened("bbbc006"))[bbbc006[0]]
    with pytest.raises(StudyError, match=f"cannot read {path}"):
        record.load()


@pytest.fixture
def bbbc039(tmp_path, write_png):
    """Images a to d; grey where the first channel of the mask is 0."""
    colours = np.array([[1, 1, 0, 1], [2, 2, 0, 0], [0, 0, 1, 0], [3, 0, 0, 1]], np.uint8)
    rest = np.full((4, 4, 2), 77, np.uint8)
    for i, name in enumerate("abcd"):
        _write_tiff(tmp_path / "images" / f"{name}.tif", np.full((4, 4), 500 + i, np.uint16))
        write_png(tmp_path / "masks" / f"{name}.png", np.dstack([colours, rest]))
    (tmp_path / "metadata").mkdir()
    for split, names in (("training", "ca"), ("validation", "b"), ("test", "")):
        (tmp_path / "metadata" / f"{split}.txt").write_text("".join(f"{name}.png\r\n" for name in names))
    return tmp_path


def test_bbbc039(bbbc039, opened):
    dataset = opened("bbbc039")
    names = {split: [record.name for record in records] for split, records in dataset.splits.items()}
    assert names == {"train": ["c", "a"], "val": ["b"], "test": []}
    assert dataset.left_out == ("d: in no list",)
    sample = dataset.splits["train"][1].load()
    np.testing.assert_array_equal(sample.image, np.full((4, 4, 1), 500))
    expected = [[1, 1, 0, 2], [3, 3, 0, 0], [0, 0, 4, 0], [5, 0, 0, 4]]
    assert sample.labels.dtype == np.int32
    np.testing.assert_array_equal(sample.labels, expected)


def test_bbbc039_tells_wells_that_its_split_cuts(tmp_path, opened, write_png):
    lists = {"training": ("A01_s1", "A02_s1"), "validation": ("A01_s5",), "test": ("A03_s2", "A01_s9")}
    (tmp_path / "metadata").mkdir()
    for kind, fields in lists.items():
        stems = [f"IXMtest_{field}_w1B9-4D" for field in fields]
        for stem in stems:
            _write_tiff(tmp_path / "images" / f"{stem}.tif", np.eye(4, dtype=np.uint8))
            write_png(tmp_path / "masks" / f"{stem}.png", np.eye(4, dtype=np.uint8))
        (tmp_path / "metadata" / f"{kind}.txt").write_text("\n".join(f"{stem}.png" for stem in stems))
    dataset = opened("bbbc039")
    assert [record.group for record in dataset.splits["train"]] == ["IXMtest_A01", "IXMtest_A02"]
    assert dataset.split_note == "the published split of BBBC039v1, which cuts 1 of 3 wells"


def test_bbbc039_stored_as_rgb_becomes_grey(bbbc039, opened):
    grey = np.arange(16, dtype=np.uint8).reshape(4, 4)
    _write_tiff(bbbc039 / "images" / "c.tif", grey[..., None].repeat(3, 2))
    record = opened("bbbc039").splits["train"][0]
    np.testing.assert_array_equal(record.load().image, grey[..., None])
    np.testing.assert_array_equal(record.load_image(), grey[..., None])


def test_bbbc039_lists_are_checked(bbbc039, opened):
    test = bbbc039 / "metadata" / "test.txt"
    test.write_text("a.png\n")
    with pytest.raises(StudyError, match=r"test\.txt lists a, which .*training\.txt lists too"):
        opened("bbbc039")
    test.write_text("z.png\n")
    with pytest.raises(StudyError, match=r"z is listed, but neither .*images nor .*masks has it"):
        opened("bbbc039").splits["test"][0].load()
    test.unlink()
    with pytest.raises(StudyError, match=r"cannot read .*test\.txt: BBBC039 needs this list"):
        opened("bbbc039")


@pytest.fixture
def dsb2018(tmp_path, write_png, image_2x3):
    """Three images of which the first has two overlapping masks, the second one, the third none."""
    masks = np.zeros((2, 2, 3), np.uint8)
    masks[0, 0, :2] = masks[1, 0, 1:] = 255
    for name, count in (("a", 2), ("b", 1), ("c", 0)):
        folder = tmp_path / "stage1_train" / name
        write_png(folder / "images" / f"{name}.png", np.dstack([image_2x3, np.full((2, 3), 255, np.uint8)]))
        (folder / "masks").mkdir()
        for i in range(count):
            write_png(folder / "masks" / f"m{i}.png", masks[i])
    return tmp_path / "stage1_train"


def test_dsb2018(dsb2018, opened, image_2x3):
    dataset = opened("dsb2018")
    records = _records(dataset)
    assert sorted(records) == ["a", "b", "c"]
    assert all(dataset.splits.values())
    expected = {"a": [[1, 1, 2], [0, 0, 0]], "b": [[1, 1, 0], [0, 0, 0]], "c": np.zeros((2, 3))}
    for name, record in records.items():
        sample = record.load()
        np.testing.assert_array_equal(sample.image, image_2x3)
        np.testing.assert_array_equal(record.load_image(), image_2x3)
        np.testing.assert_array_equal(sample.labels, expected[name])


def test_dsb2018_faults(dsb2018, opened, write_png):
    write_png(dsb2018 / "a" / "masks" / "m1.png", np.zeros((2, 4), np.uint8))
    (dsb2018 / "b" / "images" / "b.png").unlink()
    (dsb2018 / "c" / "masks").rmdir()
    records = _records(opened("dsb2018"))
    for name, words in (
        ("a", r"m1\.png has 2 x 4 px, its image 2 x 3 px"),
        ("b", r"b/images should hold one image, not 0"),
        ("c", r"c\.png has no folder masks next to images"),
    ):
        with pytest.raises(StudyError, match=words):
            records[name].load()


def test_dsb2018_without_images(tmp_path, opened):
    (tmp_path / "stage1_train").mkdir()
    with pytest.raises(StudyError, match=r"stage1_train has no folders <id>/images"):
        opened("dsb2018")
