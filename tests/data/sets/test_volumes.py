import re

import h5py
import numpy as np
import pytest

from study.data.sets.volumes import Volume, open_volumes
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
    """Write `{split}.h5` with the given datasets, sound ones by default."""

    def write(*splits, **datasets):
        for split in splits:
            with h5py.File(tmp_path / f"{split}.h5", "w") as file:
                for name, array in ({"raw": raw_of(), "labels": labels_of()} | datasets).items():
                    if array is not None:
                        file[name] = array
        return str(tmp_path)

    return write


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_files_of_each_split(write, dtype):
    root = write("train", "val", "test", raw=raw_of(dtype=dtype))
    found = open_volumes("volume", root)
    assert (found.name, list(found.splits)) == ("volume", ["train", "val", "test"])
    for split, volume in found.splits.items():
        assert (volume.raw.dtype, volume.labels.dtype) == (dtype, np.int32)
        assert volume.name.endswith(f"{split}.h5")
        np.testing.assert_array_equal(volume.raw, raw_of(dtype=dtype))
        np.testing.assert_array_equal(volume.labels, labels_of())


@pytest.mark.parametrize(("given", "read"), [(np.float64, np.float32), (np.int64, np.uint16)])
def test_other_types_of_raw_values(write, given, read):
    volume = open_volumes("volume", write("train", "test", raw=raw_of(dtype=given))).splits["test"]
    assert volume.raw.dtype == read
    np.testing.assert_array_equal(volume.raw, raw_of())


@pytest.mark.parametrize(("planes", "val"), [(8, 2), (9, 2), (2, 1)])
def test_without_a_validation_file_the_last_planes_are_validation(write, planes, val):
    root = write("train", "test", raw=raw_of((planes, 6, 5), np.uint16), labels=labels_of((planes, 6, 5)))
    found = open_volumes("volume", root)
    assert found.split_note == f"the last {val} of the {planes} planes of train.h5 are validation"
    joined = np.concatenate([found.splits[split].raw for split in ("train", "val")])
    np.testing.assert_array_equal(joined, raw_of((planes, 6, 5), np.uint16))
    assert len(found.splits["val"].labels) == val
    assert len(found.splits["test"].raw) == planes
    assert found.splits["val"].name.endswith(f"train.h5, planes {planes - val} to {planes - 1}")


def test_limits_take_what_comes_first(write):
    root = write("train", "val", "test")
    found = open_volumes("volume", root, planes=3, side=4)
    np.testing.assert_array_equal(found.splits["test"].raw, raw_of()[:3, :4, :4])
    np.testing.assert_array_equal(found.splits["test"].labels, labels_of()[:3, :4, :4])
    assert open_volumes("neurites", planes=3, side=20).splits["train"].raw.shape == (3, 20, 20)


def test_synthetic_volumes_differ_and_come_again():
    one, again = (open_volumes("neurites", planes=4, side=24) for _ in range(2))
    assert one.digest() == again.digest()
    raws = [volume.raw for volume in one.splits.values()]
    assert not any(np.array_equal(a, b) for a, b in zip(raws, [*raws[1:], raws[0]], strict=True))
    assert all(volume.labels.min() > 0 for volume in one.splits.values())


def test_the_digest_knows_the_voxels_and_not_the_storage(write, tmp_path):
    root = write("train", "test")
    before = open_volumes("volume", root).digest()
    with h5py.File(tmp_path / "test.h5", "w") as file:
        file.create_dataset("raw", data=raw_of(), compression="gzip")
        file.create_dataset("labels", data=labels_of().astype(np.int32), chunks=True)
    assert open_volumes("volume", root).digest() == before
    changed = labels_of()
    changed[0, 0, 0] = 0
    write("test", labels=changed)
    assert open_volumes("volume", root).digest() != before


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
        ({"labels": np.zeros(SHAPE, int)}, "test.h5 has no labelled voxel"),
        ({"raw": np.full(SHAPE, np.nan)}, "test.h5:raw has pixels that are nan or infinite"),
        ({"raw": np.full(SHAPE, b"x")}, "test.h5:raw has pixels of type |S1"),
    ],
)
def test_what_cannot_be_read(write, datasets, words):
    write("train")
    with pytest.raises(StudyError, match=re.escape(words)):
        open_volumes("volume", write("test", **datasets))


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_missing_file(write, tmp_path, split):
    root = write("train", "test")
    (tmp_path / f"{split}.h5").unlink()
    with pytest.raises(StudyError, match=f"{split}.h5 is missing: data set volume needs train.h5 and test.h5"):
        open_volumes("volume", root)


def test_a_file_that_is_no_hdf5(write, tmp_path):
    root = write("train", "test")
    for content in (b"no volume", (tmp_path / "train.h5").read_bytes()[:1500]):
        (tmp_path / "val.h5").write_bytes(content)
        with pytest.raises(StudyError, match=r"cannot read .*val.h5: replace the file"):
            open_volumes("volume", root)


def test_labels_in_one_part_of_the_planes_alone(write):
    labels = labels_of()
    labels[6:] = 0
    root = write("train", "test", labels=labels)
    with pytest.raises(StudyError, match=r"train.h5, planes 6 to 7 has no labelled voxel"):
        open_volumes("volume", root)


def test_names_and_folders(tmp_path):
    with pytest.raises(StudyError, match="unknown data set of volumes 'ac3': choose one of neurites, volume"):
        open_volumes("ac3")
    with pytest.raises(StudyError, match=r"data set volume needs data_root: name the folder"):
        open_volumes("volume")
    with pytest.raises(StudyError, match=r"none is not a folder: name the folder that holds train.h5 and test.h5"):
        open_volumes("volume", str(tmp_path / "none"))


def test_a_volume_that_is_too_small():
    volume = Volume("test.h5", raw_of(), labels_of().astype(np.int32))
    volume.refuse_smaller(SHAPE, "a crop")
    with pytest.raises(StudyError, match=r"test.h5 is too small: it has 8 x 6 x 5 voxels, and a crop needs 9 x 6 x 5"):
        volume.refuse_smaller((9, 6, 5), "a crop")
