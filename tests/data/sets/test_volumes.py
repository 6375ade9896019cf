import re

import h5py
import numpy as np
import pytest

from study.data import open_dataset
from study.data.settings import Data
from study.errors import StudyError

SHAPE = (8, 6, 5)


def raw_of(shape=SHAPE, dtype=np.uint8):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def labels_of(shape=SHAPE):
    labels = np.zeros(shape, np.uint64)
    labels[:, : shape[1] // 2], labels[:, shape[1] // 2 + 1 :] = 70_000, 3
    return labels


@pytest.fixture
def write(tmp_path):
    """Write `{split}.h5` with the given datasets, sound ones by default; gives what `opened` opens."""

    def write(*splits, **datasets):
        for split in splits:
            with h5py.File(tmp_path / f"{split}.h5", "w") as file:
                for name, array in ({"raw": raw_of(), "labels": labels_of()} | datasets).items():
                    if array is not None:
                        file[name] = array
        return str(tmp_path)

    return write


def opened(root, **limits):
    return open_dataset(Data("volume", str(root), **limits))


def synthetic(**limits):
    return open_dataset(Data("neurites", **limits))


def volumes(dataset):
    """The only sample of each split, which the splits are named after."""
    samples = {split: record.load() for split, (record,) in dataset.splits.items()}
    assert {split: sample.name for split, sample in samples.items()} == {split: split for split in samples}
    return samples


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_files_of_each_split(write, tmp_path, dtype):
    found = opened(write("train", "val", "test", raw=raw_of(dtype=dtype)))
    assert (found.name, list(found.splits), found.split_note) == (
        "volume",
        ["train", "val", "test"],
        "a file for each split",
    )
    for split, volume in volumes(found).items():
        assert (volume.image.dtype, volume.labels.dtype) == (dtype, np.int32)
        assert found.splits[split][0].files == (tmp_path / f"{split}.h5",)
        np.testing.assert_array_equal(volume.image, raw_of(dtype=dtype)[..., None])
        np.testing.assert_array_equal(volume.labels, labels_of())


@pytest.mark.parametrize(("given", "read"), [(np.float64, np.float32), (np.int64, np.uint16)])
def test_other_types_of_raw_values(write, given, read):
    volume = volumes(opened(write("train", "test", raw=raw_of(dtype=given))))["test"]
    assert volume.image.dtype == read
    np.testing.assert_array_equal(volume.image[..., 0], raw_of())


@pytest.mark.parametrize(("planes", "val"), [(8, 2), (9, 2), (2, 1)])
def test_without_a_validation_file_the_last_planes_are_validation(write, planes, val):
    raw, labels = raw_of((planes, 6, 5), np.uint16), labels_of((planes, 6, 5))
    found = opened(write("train", "test", raw=raw, labels=labels))
    assert found.split_note == f"the last {val} of the {planes} planes of train.h5 are validation"
    read = volumes(found)
    joined = np.concatenate([read[split].image for split in ("train", "val")])
    np.testing.assert_array_equal(joined[..., 0], raw)
    assert len(read["val"].labels) == val
    assert len(read["test"].image) == planes
    assert found.splits["val"][0].files == found.splits["train"][0].files


def test_limits_take_what_comes_first(write):
    root = write("train", "val", "test")
    volume = volumes(opened(root, planes=3, side=4))["test"]
    np.testing.assert_array_equal(volume.image[..., 0], raw_of()[:3, :4, :4])
    np.testing.assert_array_equal(volume.labels, labels_of()[:3, :4, :4])
    assert volumes(opened(root, planes=99, side=99))["test"].labels.shape == SHAPE
    assert volumes(synthetic(planes=3, side=20))["train"].image.shape == (3, 20, 20, 1)


def test_validation_planes_are_those_of_what_is_wanted(write):
    found = opened(write("train", "test"), planes=4)
    assert found.split_note == "the last 1 of the 4 planes of train.h5 are validation"
    np.testing.assert_array_equal(volumes(found)["val"].image[..., 0], raw_of()[3:4])


def test_synthetic_volumes_differ_and_come_again():
    one, again, other = (synthetic(planes=4, side=side) for side in (24, 24, 20))
    assert one.digest() == again.digest() != other.digest()
    found = volumes(one)
    for split, volume in volumes(again).items():
        np.testing.assert_array_equal(volume.image, found[split].image)
        np.testing.assert_array_equal(volume.labels, found[split].labels)
    raws = [volume.image for volume in found.values()]
    assert not any(np.array_equal(a, b) for a, b in zip(raws, [*raws[1:], raws[0]], strict=True))
    assert all(volume.labels.min() > 0 for volume in found.values())


def test_the_content_knows_the_voxels_and_not_the_storage(write, tmp_path):
    root = write("train", "test")
    before = opened(root)
    digest, contents = before.digest(), before.contents()
    with h5py.File(tmp_path / "test.h5", "w") as file:
        file.create_dataset("raw", data=raw_of(), compression="gzip")
        file.create_dataset("labels", data=labels_of().astype(np.int32), chunks=True)
    assert opened(root).contents() == contents
    changed = labels_of()
    changed[0, 0, 0] = 0
    write("test", labels=changed)
    assert opened(root).digest() != digest


def negative():
    return np.where(labels_of() == 3, -1, 1)


@pytest.mark.parametrize(
    ("datasets", "words"),
    [
        ({"raw": None}, "test.h5 has no dataset raw: it should hold raw and labels"),
        ({"labels": None}, "test.h5 has no dataset labels"),
        ({"labels": None, "labels/truth": labels_of()}, "test.h5 has no dataset labels"),
        ({"labels": labels_of()[:-1]}, "raw has shape (8, 6, 5) but labels has (7, 6, 5)"),
        ({"labels": labels_of()[0]}, "test.h5:labels has shape (6, 5): save it as (planes, rows, columns)"),
        ({"raw": raw_of()[..., None]}, "test.h5:raw has shape (8, 6, 5, 1)"),
        ({"raw": raw_of()[:0], "labels": labels_of()[:0]}, "test.h5:raw has shape (0, 6, 5)"),
        ({"labels": labels_of() + 0.5}, "test.h5:labels has labels that are not whole numbers"),
        ({"labels": negative()}, "test.h5:labels has a negative label -1"),
        ({"labels": labels_of() * 10**6}, "test.h5:labels has a too large label"),
        ({"labels": np.zeros(SHAPE, int)}, "test.h5, planes 0 to 7, has no labelled voxel"),
        ({"raw": np.full(SHAPE, np.nan)}, "test.h5:raw has pixels that are nan or infinite"),
        ({"raw": np.full(SHAPE, b"x")}, "test.h5:raw has pixels of type |S1"),
    ],
)
def test_what_cannot_be_read(write, datasets, words):
    write("train")
    (record,) = opened(write("test", **datasets)).splits["test"]
    with pytest.raises(StudyError, match=re.escape(words)):
        record.load()


def test_a_missing_file(write, tmp_path):
    root, words = write("train", "test"), "is missing: data set volume needs train.h5 and test.h5"
    (tmp_path / "test.h5").unlink()
    with pytest.raises(StudyError, match=f"test.h5 {words}"):
        opened(root).splits["test"][0].load()
    (tmp_path / "train.h5").unlink()
    with pytest.raises(StudyError, match=f"train.h5 {words}"):
        opened(root)


def test_a_file_that_is_no_hdf5(write, tmp_path):
    root = write("train", "test")
    for content in (b"no volume", (tmp_path / "train.h5").read_bytes()[:1500]):
        (tmp_path / "val.h5").write_bytes(content)
        (record,) = opened(root).splits["val"]
        with pytest.raises(StudyError, match=r"cannot (open|read) .*val.h5: replace the file"):
            record.load()


def test_labels_in_one_part_of_the_planes_alone(write):
    labels = labels_of()
    labels[6:] = 0
    (record,) = opened(write("train", "test", labels=labels)).splits["val"]
    with pytest.raises(StudyError, match=r"train.h5, planes 6 to 7, has no labelled voxel"):
        record.load()


def test_folders(tmp_path):
    with pytest.raises(StudyError, match=r"data set volume needs data_root: the folder with train.h5"):
        opened("")
    with pytest.raises(StudyError, match=r"none is not a folder: give the one with train.h5 and test.h5"):
        opened(tmp_path / "none")


def test_one_plane_cannot_be_split(write):
    root = write("train", "test")
    with pytest.raises(StudyError, match=r"train\.h5 has one plane, which cannot be both .* add planes, or val\.h5"):
        opened(root, planes=1)
    write("val")
    assert {sample.image.shape[0] for sample in volumes(opened(root, planes=1)).values()} == {1}


def test_the_home_folder_in_the_root(write, tmp_path, monkeypatch):
    write("train", "test")
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    assert set(volumes(opened(f"~/{tmp_path.name}"))) == {"train", "val", "test"}
