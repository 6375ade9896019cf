import numpy as np
import pytest

from study.data.files.masks import merge
from study.errors import StudyError


def mask(rows, columns):
    found = np.zeros((4, 5), bool)
    found[rows, columns] = True
    return found


def test_the_first_mask_keeps_a_pixel_and_what_is_settled_is_told():
    masks = {
        "a": mask(slice(0, 2), slice(0, 3)),
        "hidden": mask(slice(0, 1), slice(1, 3)),
        "b": mask(slice(1, 4), slice(2, 5)),
        "empty": mask(slice(0, 0), slice(0, 0)),
    }
    labels, defects = merge(masks.items(), (4, 5), "plant")
    expected = np.zeros((4, 5), int)
    for index, found in reversed(list(enumerate(masks.values(), start=1))):
        expected[found] = index
    np.testing.assert_array_equal(labels, expected)
    assert [sentence.split(":")[0] for sentence in defects] == [
        "hidden lies wholly under other masks",
        "empty marks no pixel",
        "masks of plant overlap in 1 px (b)",
    ]


def test_masks_beside_each_other_have_no_defect():
    assert merge([("a", mask(0, slice(None))), ("b", mask(1, slice(None)))], (4, 5), "plant").defects == []
    assert not merge([], (4, 5), "plant").labels.any()


def test_a_mask_of_another_size():
    with pytest.raises(StudyError, match="b has 4 x 5 px, its image 4 x 6 px"):
        merge([("b", mask(0, 0))], (4, 6), "plant")
