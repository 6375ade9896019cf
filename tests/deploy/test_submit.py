import re
from contextlib import contextmanager

import h5py
import numpy as np
import pytest

from study.data.sets.cvppp_test import TEST_FILE
from study.deploy.submit import check_submission, submit
from study.errors import StudyError

# What the stand-in model finds: it reads ids off the red channel. A1 has a foreground, A2 has none.
IDS = {
    "A1/plant003": np.array([[0, 5, 5, 0], [9, 9, 0, 2], [9, 0, 0, 2]], np.uint8),
    "A1/plant004": np.array([[1, 1, 0, 0, 0], [0, 0, 2, 2, 2]], np.uint8),
    "A2/plant001": np.array([[0, 3], [3, 3], [7, 0]], np.uint8),
    "A2/plant010": np.zeros((2, 2), np.uint8),
}
FOREGROUND = {
    "A1/plant003": np.array([[0, 255, 255, 0], [255, 255, 0, 0], [255, 0, 0, 0]], np.uint8),  # not the object 2
    "A1/plant004": np.array([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]], np.uint8),
}
LABELS = {
    "A1/plant003": [[0, 1, 1, 0], [2, 2, 0, 0], [2, 0, 0, 0]],
    "A1/plant004": [[1, 1, 0, 0, 0], [0, 0, 2, 2, 2]],
    "A2/plant001": [[0, 1], [1, 1], [2, 0]],
    "A2/plant010": [[0, 0], [0, 0]],
}


def model(image, foreground=None):
    return image[..., 0].astype(np.int32)


@pytest.fixture
def images(tmp_path):
    """The challenge's file of test images, RGBA in A1 and RGB in A2."""
    path = tmp_path / TEST_FILE
    with h5py.File(path, "w") as file:
        for name, ids in IDS.items():
            alpha = [np.full_like(ids, 255)] if name in FOREGROUND else []
            file[f"{name}/rgb"] = np.dstack([ids, np.ones_like(ids), np.ones_like(ids), *alpha])
            file[f"{name}/rgb_filename"] = f"{name[3:]}_rgb.png"
            if name in FOREGROUND:
                file[f"{name}/fg"] = FOREGROUND[name]
    return path


@pytest.fixture
def submission(images, tmp_path, capsys):
    """A sound submission."""
    assert submit(model, images, tmp_path / "answer.h5") == 0
    capsys.readouterr()
    return tmp_path / "answer.h5"


@contextmanager
def altered(path):
    """The datasets of an HDF5 file by their paths, to be changed; a value of None removes."""
    changes = {}
    yield changes
    with h5py.File(path, "a") as file:
        for name, values in changes.items():
            if name in file:
                del file[name]
            if values is not None:
                file[name] = values


def contents(path):
    with h5py.File(path) as file:
        return {name: file[f"{name}/label"][()] for name in IDS if f"{name}/label" in file}


def test_a_submission_holds_the_labels_of_all_images(images, tmp_path):
    out = tmp_path / "results" / "answer.h5"
    assert submit(model, images, out) == 0
    with h5py.File(out) as file:
        assert [f"{subset}/{plant}" for subset in file for plant in file[subset]] == list(IDS)
        for name, labels in LABELS.items():
            assert set(file[name]) == {"label", "label_filename"}
            assert file[f"{name}/label"].dtype == np.uint8
            np.testing.assert_array_equal(file[f"{name}/label"], labels)
            assert file[f"{name}/label_filename"].asstr()[()] == f"{name[3:]}_label.png"
    assert [path.name for path in out.parent.iterdir()] == ["answer.h5"]
    assert check_submission(out, images) == []


def test_what_is_said_in_the_end(images, tmp_path, capsys):
    submit(model, images.parent, tmp_path / "answer.h5")
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/answer.h5 holds 4 images with 6 objects (A1: 2 with 4; A2: 2 with 2); to upload it, put it as "
        "answer.h5 into a zip file, without a folder"
    ]


def test_what_the_model_is_given(images, tmp_path):
    given = {}

    def noted(image, foreground=None):
        given[image.shape] = (image.dtype, foreground)
        return model(image)

    submit(noted, images, tmp_path / "answer.h5")
    assert list(given) == [(*ids.shape, 3) for ids in IDS.values()]  # alpha dropped
    assert {dtype for dtype, _ in given.values()} == {np.dtype(np.uint8)}
    for name, (_, foreground) in zip(IDS, given.values(), strict=True):
        if name in FOREGROUND:
            assert foreground.dtype == bool
            np.testing.assert_array_equal(foreground, FOREGROUND[name] > 0)
        else:
            assert foreground is None


def test_images_of_other_subsets_are_there_without_objects(images, tmp_path, capsys):
    out = tmp_path / "answer.h5"
    assert submit(model, images, out, subsets=" A2 ") == 0
    for name, labels in contents(out).items():
        np.testing.assert_array_equal(labels, LABELS[name] if name.startswith("A2") else np.zeros_like(labels))
    assert "4 images with 2 objects (A1: 2 with none, left out; A2: 2 with 2)" in capsys.readouterr().out
    with pytest.raises(StudyError, match="unknown subset of the test images 'A3': choose one of A1, A2"):
        submit(model, images, out, subsets="A1+A3")


def test_255_objects_are_the_most(images, tmp_path):
    ids = np.arange(256).reshape(16, 16)
    with altered(images) as changes:
        changes["A2/plant010/rgb"] = np.dstack([ids] * 3).astype(np.uint8)
    assert submit(model, images, tmp_path / "answer.h5") == 0
    np.testing.assert_array_equal(contents(tmp_path / "answer.h5")["A2/plant010"], ids)
    before = (tmp_path / "answer.h5").read_bytes()
    with pytest.raises(StudyError, match=r"finds 256 objects in A2/plant010 of .*, but a submission holds at most 255"):
        submit(lambda image, foreground: model(image) + (len(image) == 16), images, tmp_path / "answer.h5")
    assert (tmp_path / "answer.h5").read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))


def spoilt(path, name):
    """Overwrite the stored bytes of a dataset with other ones."""
    with h5py.File(path, "a") as file:
        values = file[name][()]
        del file[name]
        file.create_dataset(name, data=values, compression="gzip", chunks=values.shape)
        place = file[name].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[place.byte_offset : place.byte_offset + place.size] = b"\xff" * place.size
    path.write_bytes(content)


@pytest.mark.parametrize("leaf", ["rgb", "fg"])
def test_a_damaged_image_is_named_and_nothing_is_written(images, tmp_path, leaf):
    spoilt(images, f"A1/plant004/{leaf}")
    with pytest.raises(StudyError, match=rf"\Acannot read A1/plant004/{leaf} in .*{TEST_FILE}: replace the file"):
        submit(model, images, tmp_path / "answer.h5")
    assert [path.name for path in tmp_path.iterdir()] == [TEST_FILE]


def test_nothing_is_left_of_what_is_stopped(images, tmp_path):
    def stopped(image, foreground=None):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        submit(stopped, images, tmp_path / "answer.h5")
    assert [path.name for path in tmp_path.iterdir()] == [TEST_FILE]


def test_a_fault_of_the_model_is_not_taken_for_one_of_the_disk(images, tmp_path):
    def out_of_memory(image, foreground=None):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        submit(out_of_memory, images, tmp_path / "answer.h5")


def test_a_full_disk_leaves_the_older_file(images, submission, monkeypatch):
    before = submission.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("study.deploy.submit.h5py.Group.create_dataset", full)
    with pytest.raises(StudyError, match=rf"cannot write {submission}: No space left on device; free disk space"):
        submit(lambda image, foreground: np.zeros(image.shape[:2], np.int32), images, submission)
    assert submission.read_bytes() == before
    assert not list(submission.parent.glob("*.partial"))


def test_a_file_takes_the_place_of_an_older_one(images, submission):
    submit(lambda image, foreground: np.zeros(image.shape[:2], np.int32), images, submission)
    assert not any(labels.any() for labels in contents(submission).values())


def test_where_a_submission_cannot_be_written(images, tmp_path):
    def unused(image, foreground=None):
        pytest.fail("the model works in vain")

    (tmp_path / "file").touch()
    before = images.read_bytes()
    for out, words in [
        (images, "which holds the test images: name another file"),
        (tmp_path / "answer.zip", r"name an HDF5 file, such as .*/answer\.h5"),
        (tmp_path, r"name an HDF5 file, such as .*/answer\.h5"),
    ]:
        with pytest.raises(StudyError, match=rf"\Acannot write {re.escape(str(out))}[:,] .*{words}"):
            submit(unused, images, out)
    with pytest.raises(StudyError, match=rf"\Acannot write into {tmp_path}/file: .*give another folder"):
        submit(unused, images, tmp_path / "file" / "answer.h5")
    assert images.read_bytes() == before


def test_defects_are_told_and_counted(images, tmp_path, capsys):
    full = submit(lambda image, foreground: np.ones(image.shape[:2], np.int32), images, tmp_path / "answer.h5")
    assert full == 1
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 2
    assert told[0].startswith(f"defect: {tmp_path}/answer.h5, 2 images (A2/plant001, A2/plant010): no background")


def zeros(*shape, dtype=np.uint8):
    return np.zeros(shape, dtype)


def uint8(rows):
    return np.array(rows, np.uint8)


@pytest.mark.parametrize(
    ("change", "defect"),
    [
        ({"A1/plant003": None}, "A1/plant003: no label, which is scored as zeros"),
        ({"A2": None}, "2 images (A2/plant001, A2/plant010): no label, which"),
        ({"A2/plant010/label": None}, "A2/plant010: no label, which"),
        ({"A2/plant010/label": None, "A2/plant010/label/label": zeros(2, 2)}, "A2/plant010: no label, which"),
        ({"A1/plant007/label": zeros(2, 2)}, f"A1/plant007: no test image of {TEST_FILE}; remove it"),
        ({"plant003/label": zeros(2, 2)}, f"plant003/label: no test image of {TEST_FILE}"),
        ({"main": zeros(2, 2)}, f"main: no test image of {TEST_FILE}"),
        ({"A2/plant010/label": zeros(2, 3)}, "A2/plant010: label of shape (2, 3), image of (2, 2), which is scored 0"),
        ({"A2/plant010/label": zeros(2, 2, 1)}, "A2/plant010: label of shape (2, 2, 1), image of (2, 2)"),
        ({"A2/plant010/label": zeros(2, 2, dtype=np.int64)}, "A2/plant010: label of type int64; save it as uint8"),
        ({"A2/plant010/label": np.full((2, 2), 0.5)}, "A2/plant010: label of type float64; save it as uint8"),
        ({"A2/plant010/label": uint8([[0, 2], [0, 9]])}, "A2/plant010: 2 objects with ids up to 9, scored as 9"),
        ({"A2/plant010/label": uint8([[1, 1], [2, 2]])}, "A2/plant010: no background: the lowest id, 1,"),
        ({"A1/plant004/label": uint8([[1, 0, 0, 0, 0], [1] * 5])}, "A1/plant004: 2 px of objects outside of fg"),
        ({"A1/plant003/label_filename": None}, "A1/plant003: no label_filename; write"),
        ({"A1/plant003/label_filename": "x.png"}, "A1/plant003: label_filename is x.png; write plant003_label.png"),
    ],
)
def test_each_defect_is_named(images, submission, change, defect):
    with altered(submission) as changes:
        changes |= change
    (sentence,) = check_submission(submission, images)
    assert sentence.startswith(f"{submission}, {defect}")


def test_equal_defects_are_told_once(images, submission):
    with altered(submission) as changes:
        changes |= {f"{name}/label": np.array(labels, np.int64) for name, labels in LABELS.items()}
        changes |= {"A1/plant003/label_filename": "x", "A2/other": 1}
    assert [sentence.removeprefix(f"{submission}, ") for sentence in check_submission(submission, images.parent)] == [
        f"A2/other: no test image of {TEST_FILE}; remove it",
        "A1/plant003: label_filename is x; write plant003_label.png",
        "4 images (A1/plant003, A1/plant004, A2/plant001, …): label of type int64; save it as uint8",
    ]


def test_unreadable_labels_do_not_end_the_check(images, submission):
    spoilt(submission, "A1/plant003/label")
    with altered(submission) as changes:
        changes["A2/plant001/label"] = None
    missing, unreadable = check_submission(submission, images)
    assert missing.startswith(f"{submission}, A2/plant001: no label")
    assert unreadable.startswith(f"cannot read A1/plant003/label in {submission}: replace the file")


def test_the_labels_of_others_are_checked_too(images, tmp_path):
    """Without compression, and with names as arrays of bytes, as other software writes them."""
    path = tmp_path / "others.h5"
    with h5py.File(path, "w") as file:
        for name, labels in LABELS.items():
            file[f"{name}/label"] = np.array(labels, np.uint8)
            file[f"{name}/label_filename"] = np.array([f"{name[3:]}_label.png"], "S20")
    assert check_submission(path, images) == []


def test_a_file_that_is_no_submission(images, tmp_path):
    with pytest.raises(StudyError, match=r"none\.h5 does not exist"):
        check_submission(tmp_path / "none.h5", images)
    (tmp_path / "answer.zip").write_bytes(b"PK\3\4")
    with pytest.raises(StudyError, match=r"cannot open .*answer\.zip: .* no HDF5 file"):
        check_submission(tmp_path / "answer.zip", images)
    (defect,) = check_submission(images, images)  # a copy of the test images, say
    assert "4 images (A1/plant003, A1/plant004, A2/plant001, …): no label" in defect
