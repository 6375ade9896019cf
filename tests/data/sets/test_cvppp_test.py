import h5py
import numpy as np
import pytest

from study.data.sets.cvppp_test import TEST_FILE, entries, list_plants
from study.errors import StudyError


@pytest.fixture
def write_images(tmp_path):
    """Write datasets by path, all in one HDF5 file."""

    def write(datasets):
        with h5py.File(tmp_path / TEST_FILE, "w") as file:
            for name, values in datasets.items():
                file[name] = values
        return tmp_path / TEST_FILE

    return write


RGB = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
MASK = np.array([[0, 255, 255, 0], [0, 0, 7, 0]], np.uint8)


def test_plants_are_listed_and_read(write_images):
    rgba = np.dstack([RGB, np.full((2, 4), 9, np.uint8)])
    file = write_images({"A2/plant001/rgb": RGB, "A1/plant003/rgb": rgba, "A1/plant003/fg": MASK})
    first, second = list_plants(file)
    assert (first.name, first.subset, first.size, first.foreground_given) == ("A1/plant003", "A1", (2, 4), True)
    assert (second.name, second.subset, second.size, second.foreground_given) == ("A2/plant001", "A2", (2, 4), False)
    np.testing.assert_array_equal(first.image(), RGB)
    np.testing.assert_array_equal(first.foreground(), MASK > 0)
    assert first.foreground().dtype == bool
    assert second.foreground() is None


def test_the_folder_of_the_file_will_do(write_images):
    file = write_images({"A1/plant003/rgb": RGB})
    assert list_plants(file.parent) == list_plants(file)


@pytest.mark.parametrize(
    ("rgb_filename", "label_filename"),
    [
        ("plant7_rgb.png", "plant7_label.png"),
        (b"A1/plant7_rgb.png", "plant7_label.png"),
        (np.array(["plant7.tif"], "S"), "plant7_label.png"),
        (None, "plant003_label.png"),
    ],
)
def test_the_name_of_the_labels_is_that_of_the_image(write_images, rgb_filename, label_filename):
    names = {} if rgb_filename is None else {"A1/plant003/rgb_filename": rgb_filename}
    (plant,) = list_plants(write_images({"A1/plant003/rgb": RGB} | names))
    assert plant.label_filename == label_filename


@pytest.mark.parametrize(
    ("datasets", "words"),
    [
        ({}, "holds no image such as A1/plant003/rgb: give CVPPP2017_testing_images.h5"),
        ({"main": RGB}, "holds no image such as A1/plant003/rgb"),
        ({"A1/plant003/label": MASK}, "holds no image A1/plant003/rgb: give CVPPP2017_testing_images.h5"),
        ({"A1/plant003/rgb": RGB, "A1/plant004/fg": MASK}, "holds no image A1/plant004/rgb"),
        ({"A1/plant003/rgb/rgb": RGB}, "holds no image A1/plant003/rgb"),
        ({"A1/plant003": RGB}, "holds no image A1/plant003/rgb"),
        ({"A1/plant003/rgb": RGB[0, 0]}, "holds no image A1/plant003/rgb"),
        ({"A1/plant003/rgb": RGB[:0]}, "holds no image A1/plant003/rgb"),
    ],
)
def test_another_file(write_images, datasets, words):
    with pytest.raises(StudyError, match=f"{TEST_FILE}.*{words}|{words}.*{TEST_FILE}"):
        list_plants(write_images(datasets))


def test_no_file(tmp_path):
    with pytest.raises(StudyError, match=f"{TEST_FILE} does not exist"):
        list_plants(tmp_path)
    (tmp_path / "images.h5").write_bytes(b"PK\3\4")
    with pytest.raises(StudyError, match=r"cannot open .*images\.h5: replace the file, it is damaged or no HDF5 file"):
        list_plants(tmp_path / "images.h5")


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (MASK[:, :3], "fg has 2 x 3 px but the image has 2 x 4 px"),
        (MASK.astype(float) / 2, "fg has labels that are not whole numbers"),
    ],
)
def test_unfit_foreground(write_images, mask, words):
    (plant,) = list_plants(write_images({"A1/plant003/rgb": RGB, "A1/plant003/fg": mask}))
    with pytest.raises(StudyError, match=f"{TEST_FILE}:A1/plant003/{words}"):
        plant.foreground()


def test_entries_are_those_of_groups_and_beside_them(write_images):
    file = write_images({"A1/plant003/rgb": RGB, "A1/plant004/fg": MASK, "main": MASK, "A2/label": MASK})
    assert entries(file) == ["A1/plant003", "A1/plant004", "A2/label", "main"]
