import h5py
import numpy as np
import pytest

from study.data.sets.cvppp import A1_TEST
from study.errors import StudyError

IMAGES, TRUTH = "CVPPP2017_training_images.h5", "CVPPP2017_training_truth.h5"


@pytest.fixture
def write_plant(tmp_path, write_png, image_2x3, labels_2x3):
    def write(name: str) -> None:
        """`name` is A1/plant001; RGBA image, palette labels."""
        write_png(tmp_path / f"{name}_rgb.png", np.dstack([image_2x3, np.full((2, 3), 255, np.uint8)]))
        write_png(tmp_path / f"{name}_label.png", labels_2x3, palette=True)
        write_png(tmp_path / f"{name}_fg.png", labels_2x3 > 0)

    return write


def _write_hdf5(root, plants, image, labels):
    with h5py.File(root / IMAGES, "w") as images, h5py.File(root / TRUTH, "w") as truth:
        for plant in plants:
            images[f"{plant}/rgb"], images[f"{plant}/rgb_filename"] = image, "x_rgb.png"
            truth[f"{plant}/label"], truth[f"{plant}/label_filename"] = labels, "x_label.png"


def _names(dataset):
    return {split: [record.name for record in records] for split, records in dataset.splits.items()}


def test_png_layout(opened, write_plant, image_2x3, labels_2x3):
    write_plant("A2/plant007")
    dataset = opened("cvppp2017", subsets="A2")
    (record,) = dataset.splits["train"]
    sample = record.load()
    assert (dataset.foreground_given, sample.name) == (True, "A2/plant007")
    assert [path.name for path in record.files] == ["plant007_rgb.png", "plant007_label.png"]
    np.testing.assert_array_equal(sample.image, image_2x3)
    np.testing.assert_array_equal(sample.labels, labels_2x3)


def test_hdf5_layout_gives_the_same_samples_and_splits(tmp_path, opened, write_plant, image_2x3, labels_2x3):
    plants = [f"A1/plant{i:03d}" for i in range(1, 20)]
    _write_hdf5(tmp_path, plants, image_2x3, labels_2x3)
    hdf5 = opened("cvppp2017")
    for plant in plants:
        write_plant(plant)
    png = opened("cvppp2017")
    assert _names(hdf5) == _names(png)
    assert len(png.splits["train"][0].files) == 2
    for dataset in (hdf5, png):
        sample = dataset.splits["train"][2].load()
        np.testing.assert_array_equal(sample.image, image_2x3)
        np.testing.assert_array_equal(sample.labels, labels_2x3)
    assert png.digest() != hdf5.digest()


def test_a1_has_its_fixed_split_whatever_the_seed(tmp_path, opened, image_2x3, labels_2x3):
    others = [f"A1/plant{i:03d}" for i in range(200, 308)]
    _write_hdf5(tmp_path, [*A1_TEST, *others], image_2x3, labels_2x3)
    names = _names(opened("cvppp2017"))
    assert names["test"] == list(A1_TEST)
    assert {split: len(part) for split, part in names.items()} == {"train": 92, "val": 16, "test": 20}
    assert sorted(names["train"] + names["val"]) == others
    assert _names(opened("cvppp2017", split_seed=1)) == names
    note = opened("cvppp2017").split_note
    assert "the 20 validation plants of Huang et al. 2022 are test, 16 of the other 108" in note


def test_validation_plants_of_a1_are_published(tmp_path, opened, image_2x3, labels_2x3):
    """The draw must never change: results on A1 are compared across versions."""
    _write_hdf5(tmp_path, [*A1_TEST, *(f"A1/plant{i:03d}" for i in range(201, 228))], image_2x3, labels_2x3)
    assert _names(opened("cvppp2017"))["val"] == [f"A1/plant{i}" for i in (207, 214, 223, 227)]


def test_a1_without_some_or_all_test_plants_says_so(opened, write_plant):
    for i in (2, 16, 201, 202, 203):
        write_plant(f"A1/plant{i:03d}")
    dataset = opened("cvppp2017")
    assert _names(dataset)["test"] == ["A1/plant002", "A1/plant016"]
    assert "2 (the rest is missing here) of the 20 validation plants" in dataset.split_note


def test_a1_without_any_test_plant_is_split_by_seed(opened, write_plant):
    for i in range(201, 208):
        write_plant(f"A1/plant{i}")
    dataset = opened("cvppp2017", split_seed=3)
    assert all(dataset.splits.values())
    assert dataset.split_note.startswith("A1: 15 %")
    assert dataset.split_note.endswith("by seed 3")


def test_subsets_are_joined_and_equal_plants_kept_apart(opened, write_plant):
    for subset in ("A1", "A2"):
        for i in (2, 201, 202, 203):
            write_plant(f"{subset}/plant{i:03d}")
    dataset = opened("cvppp2017", subsets="A2 + A1+A2")
    names = _names(dataset)
    assert len({name for part in names.values() for name in part}) == 8
    assert [part[0][:2] for part in names.values()] == ["A2"] * 3
    assert dataset.split_note.count(";") == 1


def test_all_subsets_are_those_that_are_there(tmp_path, opened, write_plant, image_2x3, labels_2x3):
    (tmp_path / "A7").mkdir()
    with pytest.raises(StudyError, match="holds none of the subsets A1, A2, A3, A4, A5"):
        opened("cvppp2017", subsets="all")
    _write_hdf5(tmp_path, ["A2/plant001", "A5/plant002"], image_2x3, labels_2x3)
    names = {name for split in _names(opened("cvppp2017", subsets="all")).values() for name in split}
    assert names == {"A2/plant001", "A5/plant002"}
    for plant in ("A4/plant001", "A3/plant001", "A7/plant001"):
        write_plant(plant)
    names = {name for split in _names(opened("cvppp2017", subsets="all")).values() for name in split}
    assert names == {"A3/plant001", "A4/plant001"}


def test_missing_partners_are_told_when_the_record_is_loaded(tmp_path, opened, write_plant):
    for i in range(3):
        write_plant(f"A3/plant{i}")
    (tmp_path / "A3/plant0_label.png").unlink()
    (tmp_path / "A3/plant1_rgb.png").unlink()
    records = {record.name: record for part in opened("cvppp2017", subsets="A3").splits.values() for record in part}
    with pytest.raises(StudyError, match=r"plant0_rgb\.png has no labels in"):
        records["A3/plant0"].load()
    with pytest.raises(StudyError, match=r"plant1_label\.png has no image in"):
        records["A3/plant1"].load()


def test_wrong_subsets(tmp_path, opened, write_plant, image_2x3, labels_2x3):
    with pytest.raises(StudyError, match=r"data\.subsets is empty"):
        opened("cvppp2017", subsets=" + ")
    write_plant("A1/plant001")
    with pytest.raises(StudyError, match="has no folder A2"):
        opened("cvppp2017", subsets="A1+A2")
    _write_hdf5(tmp_path, ["A3/plant001"], image_2x3, labels_2x3)
    with pytest.raises(StudyError, match=f"{IMAGES} has no group A2: data.subsets may name A3"):
        opened("cvppp2017", subsets="A2")


def test_folder_without_a_pair(tmp_path, opened, write_plant):
    write_plant("A1/plant001")
    (tmp_path / "A1/plant001_label.png").unlink()
    with pytest.raises(StudyError, match=r"no image in .*A1 has labels of the same name"):
        opened("cvppp2017")


def test_damaged_hdf5(tmp_path, opened, image_2x3, labels_2x3):
    _write_hdf5(tmp_path, ["A1/plant001", "A1/plant003"], image_2x3, labels_2x3)
    with h5py.File(tmp_path / TRUTH, "a") as truth:
        del truth["A1/plant003/label"]
    records = {record.name: record for part in opened("cvppp2017").splits.values() for record in part}
    records["A1/plant001"].load()
    with pytest.raises(StudyError, match=f"{TRUTH} has no A1/plant003"):
        records["A1/plant003"].load()
    (tmp_path / TRUTH).write_bytes((tmp_path / TRUTH).read_bytes()[:200])
    with pytest.raises(StudyError, match=f"cannot open .*{TRUTH}: .*damaged"):
        opened("cvppp2017")
    (tmp_path / TRUTH).unlink()
    with pytest.raises(StudyError, match=f"{TRUTH} is missing: put it next to {IMAGES}"):
        opened("cvppp2017")


def test_hdf5_labels_are_checked_like_files(tmp_path, opened, image_2x3):
    _write_hdf5(tmp_path, ["A1/plant001"], image_2x3, np.array([[0, 0.5, 1], [0, 0, 0]]))
    with pytest.raises(StudyError, match=f"{TRUTH}:A1/plant001/label has labels that are not whole numbers"):
        opened("cvppp2017").splits["train"][0].load()
    _write_hdf5(tmp_path, ["A1/plant001"], image_2x3, np.zeros((2, 4), np.uint8))
    with pytest.raises(StudyError, match=r"A1/plant001: the image has 2 x 3 px but the labels have 2 x 4 px"):
        opened("cvppp2017").splits["train"][0].load()


def test_other_subsets_to_test_on(tmp_path, opened, write_plant):
    for plant in ("A1/plant001", "A1/plant002", "A1/plant003", "A2/plant001", "A2/plant002"):
        write_plant(plant)
    alone, across = opened("cvppp2017"), opened("cvppp2017", test_subsets="A2")
    assert _names(across)["test"] == ["A2/plant001", "A2/plant002"]
    assert {k: v for k, v in _names(across).items() if k != "test"} == {
        k: v for k, v in _names(alone).items() if k != "test"
    }
    assert across.split_note.endswith("test images are instead all of A2")
    assert _names(opened("cvppp2017", test_subsets="A2 + A2")) == _names(across)
    with pytest.raises(StudyError, match=r"data\.test_subsets names A1, as data\.subsets does"):
        opened("cvppp2017", test_subsets="A2+A1")
