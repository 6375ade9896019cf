import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from study.data import Record, Sample
from study.data.files.label_files import ENDINGS, find_labels
from study.errors import StudyError

SAMPLE_LABELS = np.array([[0, 1, 1], [0, 300, 0]], np.uint16)


def records(*names, folder=None):
    """Images of a split; with a folder their files are `folder`/name_rgb.png."""
    files = {name: (folder / f"{name}_rgb.png", folder / f"{name}_label.png") if folder else () for name in names}
    return [Record(name, lambda: None, files[name]) for name in names]


def sample(name, shape=(2, 3)):
    return Sample(np.zeros((*shape, 1), np.uint8), np.zeros(shape, np.int32), name)


def write(path: Path, labels=SAMPLE_LABELS):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, labels)


def write_hdf5(path: Path, **datasets):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name.replace("__", "/")] = values


def files_of(found):
    return {name: place.file.name for name, place in found.places.items()}


def refused(words):
    return pytest.raises(StudyError, match=f"\\A[^\n]*{words}[^\n]*\\Z")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF", ".h5", ".hdf5"])
@pytest.mark.parametrize("below", ["", "results/of_today"])
def test_labels_of_each_kind_are_read_exactly(tmp_path, write_png, suffix, below):
    path = tmp_path / below / f"cell1{suffix}"
    if suffix == ".png":
        write_png(path, SAMPLE_LABELS)
    elif suffix in (".h5", ".hdf5"):
        write_hdf5(path, anything=SAMPLE_LABELS)
    else:
        write(path)
    labels = find_labels(tmp_path, records("cell1")).read(sample("cell1"))
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, SAMPLE_LABELS)


@pytest.mark.parametrize("ending", ["", *ENDINGS])
@pytest.mark.parametrize("name", ["A1/plant003", "A1/plant003_rgb", "x/y/A1/plant003", "plant003", "plant003_rgb"])
def test_names_of_files(tmp_path, name, ending):
    write(tmp_path / f"{name}{ending}.tif")
    found = find_labels(tmp_path, records("A1/plant003", folder=tmp_path / "images"))
    assert files_of(found) == {"A1/plant003": f"{name.rpartition('/')[2]}{ending}.tif"}
    assert found.skipped == 0


def test_names_of_files_where_the_images_are_in_one_file(tmp_path):
    wanted = [Record(f"A1/{plant}", lambda: None, (tmp_path / "images.h5",)) for plant in ("plant001", "plant003")]
    for name in ("plant001", "A1/plant003", "images"):
        write(tmp_path / f"{name}.tif")
    found = find_labels(tmp_path, wanted)
    assert files_of(found) == {"A1/plant001": "plant001.tif", "A1/plant003": "plant003.tif"}
    assert found.skipped == 1


@pytest.mark.parametrize("name", ["A2/plant003", "plant0030", "plant003_flows", "A1_plant003", "_label"])
def test_files_of_other_images_are_not_taken(tmp_path, name):
    write(tmp_path / f"{name}.tif")
    with refused("no labels of 1 of 1 images"):
        find_labels(tmp_path, records("A1/plant003"))


def test_a_bare_name_must_be_that_of_one_image(tmp_path):
    for name in ("plant003", "plant004"):
        write(tmp_path / f"{name}.tif")
    wanted = records("A1/plant003", "A2/plant003", "A2/plant004")
    with refused(r"of 2 of 3 images \(A1/plant003, A2/plant003\)"):
        find_labels(tmp_path, wanted)
    for subset in ("A1", "A2"):
        write(tmp_path / f"{subset}/plant003.tif", np.full((2, 3), int(subset[1]), np.uint8))
    found = find_labels(tmp_path, wanted)
    assert found.skipped == 1
    assert [found.read(sample(f"{subset}/plant003"))[0, 0] for subset in ("A1", "A2")] == [1, 2]


def test_an_image_whose_own_name_has_an_ending(tmp_path):
    write(tmp_path / "cell_mask.tif")
    write(tmp_path / "cell.tif")
    assert files_of(find_labels(tmp_path, records("cell", "cell_mask"))) == {
        "cell": "cell.tif",
        "cell_mask": "cell_mask.tif",
    }
    (tmp_path / "cell.tif").unlink()
    with refused(r"of 1 of 2 images \(cell\)"):
        find_labels(tmp_path, records("cell", "cell_mask"))


def test_images_beside_the_labels_and_hidden_files_are_no_labels(tmp_path, write_png):
    """Cellpose writes its masks beside the images."""
    wanted = records("cell1", "cell2", folder=tmp_path)
    for name in ("cell1", "cell2"):
        write_png(tmp_path / f"{name}_rgb.png", SAMPLE_LABELS)
        write_png(tmp_path / f"{name}_rgb_cp_masks.png", SAMPLE_LABELS)
    write_png(tmp_path / "._cell1_rgb_cp_masks.png", SAMPLE_LABELS)
    write_png(tmp_path / ".old/cell1.png", SAMPLE_LABELS)
    (tmp_path / "cell1_seg.npy").write_text("of another kind")
    found = find_labels(tmp_path, wanted)
    assert files_of(found) == {name: f"{name}_rgb_cp_masks.png" for name in ("cell1", "cell2")}
    assert found.skipped == 0


def test_files_of_no_image_are_counted(tmp_path):
    for i in range(5):
        write(tmp_path / f"cell{i}.tif")
    assert find_labels(tmp_path, records("cell1", "cell3")).skipped == 3


def test_missing_labels_are_counted_and_the_first_named(tmp_path):
    write(tmp_path / "cell0.tif")
    words = r"of 5 of 6 images \(cell1, cell2, cell3, …\): .* such as cell0\.png or cell0_label\.png"
    with refused(words):
        find_labels(tmp_path, records(*(f"cell{i}" for i in range(6))))


@pytest.mark.parametrize("second", ["cell1.png", "cell1_masks.tif", "more/cell1.tif"])
def test_several_labels_of_an_image(tmp_path, write_png, second):
    write(tmp_path / "cell1.tif")
    (write_png if second.endswith("png") else write)(tmp_path / second, SAMPLE_LABELS)
    with refused(f"(?=.*{re.escape(str(tmp_path / second))}).* are both labels of cell1: remove one"):
        find_labels(tmp_path, records("cell1"))


def test_what_is_no_folder_of_labels(tmp_path):
    with refused("holds no label image"):
        find_labels(tmp_path, records("cell1"))
    (tmp_path / "cell1.txt").write_text("no image")
    with refused("holds no label image"):
        find_labels(tmp_path, records("cell1"))
    for absent in (tmp_path / "none", tmp_path / "cell1.txt"):
        with refused(f"--labels: {absent} is neither a folder nor an HDF5 file"):
            find_labels(absent, records("cell1"))
    with refused("does not exist"):
        find_labels(tmp_path / "none.h5", records("cell1"))


def test_a_submission_to_the_leaf_challenge(tmp_path):
    file = tmp_path / "submission.h5"
    plants = {f"A1__plant{i:03}__label": np.full((2, 3), i, np.uint8) for i in (1, 2, 3)}
    write_hdf5(file, **plants, A1__plant001__label_filename="plant001_label.png", A1__plant004__rgb=np.zeros((2, 3, 3)))
    found = find_labels(file, records("A1/plant001", "A1/plant003"))
    assert found.skipped == 1
    for i in (1, 3):
        assert (found.read(sample(f"A1/plant{i:03}")) == i).all()
    with refused(r"submission\.h5 has no labels of 1 of 2 images \(A1/plant004\): .* such as A1/plant001/label"):
        find_labels(file, records("A1/plant001", "A1/plant004"))


@pytest.mark.parametrize(
    ("datasets", "value"),
    [
        ({"label": 5, "raw": 7}, 5),
        ({"results__masks": 5, "raw": 7, "other": 7}, 5),
        ({"label": 5.0, "raw": 7}, 5),
        ({"segmentation": 5, "probability": 0.5}, 5),
    ],
)
def test_the_dataset_of_labels_in_a_file_of_one_image(tmp_path, datasets, value):
    write_hdf5(tmp_path / "cell1.h5", **{name: np.full((2, 3), values) for name, values in datasets.items()})
    assert (find_labels(tmp_path, records("cell1")).read(sample("cell1")) == value).all()


def test_labels_with_a_dimension_for_the_channel(tmp_path):
    write_hdf5(tmp_path / "cell1.h5", exported_data=np.full((2, 3, 1), 5))  # as ilastik writes them
    assert (find_labels(tmp_path, records("cell1")).read(sample("cell1")) == np.full((2, 3), 5)).all()


@pytest.mark.parametrize(
    ("datasets", "words"),
    [
        ({"a": np.zeros((2, 3), int), "b": np.zeros((2, 3), int)}, "has 0 datasets called label and 2 2-D ones"),
        ({"label": np.zeros((2, 3)), "masks": np.zeros((2, 3))}, "has 2 datasets called label and 0 2-D ones"),
        ({"a": np.zeros((2, 3, 4), int)}, "has 0 datasets called label and 0 2-D ones"),
        ({}, "has 0 datasets called label and 0 2-D ones"),
        ({"labels": np.full((2, 3), 0.5)}, r"cell1\.h5:labels has labels that are not whole numbers"),
        ({"labels": np.full((2, 3), -1)}, r"cell1\.h5:labels has a negative label -1"),
    ],
)
def test_a_file_of_one_image_without_clear_labels(tmp_path, datasets, words):
    write_hdf5(tmp_path / "cell1.h5", **datasets)
    with refused(words):
        find_labels(tmp_path, records("cell1")).read(sample("cell1"))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".h5"])
def test_damaged_files(tmp_path, suffix):
    (tmp_path / f"cell1{suffix}").write_text("no image")
    with refused(f"cell1{suffix}: replace the file, it is damaged"):
        find_labels(tmp_path, records("cell1")).read(sample("cell1"))


def test_a_damaged_submission(tmp_path):
    file = tmp_path / "submission.h5"
    write_hdf5(file, A1__plant001__label=np.arange(10000).reshape(100, 100))
    whole = file.read_bytes()
    for size in (0, 100, 2000, len(whole) - 9):
        file.write_bytes(whole[:size])
        with refused(r"submission\.h5: replace the file, it is damaged"):
            find_labels(file, records("A1/plant001"))


def test_labels_of_another_size_or_kind(tmp_path):
    write(tmp_path / "cell1.tif", np.zeros((3, 2), np.uint8))
    with refused(r"cell1\.tif has labels of 3 x 2 px, but image cell1 has 2 x 3 px: save them at its size"):
        find_labels(tmp_path, records("cell1")).read(sample("cell1"))
    write(tmp_path / "cell1.tif", np.full((2, 3), 0.5, np.float32))
    with refused(r"cell1\.tif has labels that are not whole numbers"):
        find_labels(tmp_path, records("cell1")).read(sample("cell1"))
