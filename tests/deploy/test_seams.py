import numpy as np
import pytest

from study.deploy.seams import joined_labels
from study.deploy.tiling import tiles_of

# Two windows of a strip, of which the first has columns 0 to 13 and the second columns 6 to 19; their cores meet
# between the columns 9 and 10. Both are drawn in full width, with blanks for what a window does not see.


def drawn(*rows):
    return np.array([[int(pixel) for pixel in row.replace(" ", "0")] for row in rows], np.int32)


def joined(one, two):
    tiles = tiles_of((len(one), 20), 10, 4)
    assert [(tile.window[1].start, tile.window[1].stop) for tile in tiles] == [(0, 14), (6, 20)]
    found = {0: drawn(*one), 6: drawn(*two)}
    labels, largest = joined_labels((len(one), 20), tiles, lambda window: found[window[1].start][window])
    assert labels.dtype == np.int32
    assert set(np.unique(labels)) - {0} == set(range(1, largest + 1))
    return ["".join(map(str, row)).replace("0", ".") for row in labels]


@pytest.mark.parametrize(
    ("one", "two", "wanted"),
    [
        # seen alike
        ("00000000111000      ", "      00222000000000", "........111........."),
        ("00000110000000      ", "      00000000020000", ".....11........2...."),
        # seen alike for the most part: each pixel as its own window has it
        ("00000001111000      ", "      00111000000000", ".......1111........."),
        ("00000001111000      ", "      00222200000000", ".......11111........"),
        # too different, and each for the most part in its own core
        ("00000000111000      ", "      00001111000000", "........112222......"),
        # too different, and the first window sees little of it in its core
        ("00000000011111      ", "      00001122222000", "..........1122222..."),
        # not seen by the first window, which would have more, or less, of it
        ("00000000000000      ", "      00111111110000", "........11111111...."),
        ("00000000000000      ", "      11111000000000", "...................."),
        # beyond the own core
        ("00000000000111      ", "      00000000000000", "...................."),
        # ends at the seam in both
        ("00000000110000      ", "      00001100000000", "........1122........"),
        # from one end to the other
        ("11111111111111      ", "      22222222222222", "11111111111111111111"),
        ("00000000000000      ", "      00000000000000", "...................."),
    ],
)
def test_two_windows(one, two, wanted):
    assert joined([one], [two]) == [wanted]


def test_a_window_that_sees_only_the_arms_of_an_object():
    one = ["00000111111111      ", "00000000000000      ", "00000222222222      "]
    two = ["      11111111111000", "      00000000001000", "      11111111111000"]
    assert joined(one, two) == [".....111111111111...", "................1...", ".....111111111111..."]
    one, two = ([row[::-1] for row in window] for window in (one, two))
    assert joined(two, one) == ["...111111111111.....", "...1................", "...111111111111....."]


def test_whole_objects_are_not_joined_by_one_that_covers_them():
    one = ["00000000111000      ", "00000000000000      ", "00000000222000      "]
    two = ["      00111000000000"] * 3
    assert joined(one, two) == ["........111.........", "....................", "........222........."]


def test_an_object_longer_than_the_windows():
    tiles = tiles_of((3, 100), 10, 4)
    full = np.zeros((3, 100), np.int32)
    full[1, 3:97] = 1
    for ids in (1, 7):
        labels, largest = joined_labels(full.shape, tiles, lambda window, ids=ids: full[window] * ids)
        np.testing.assert_array_equal(labels, full)
        assert largest == 1


def test_windows_that_share_nothing_join_nothing():
    labels, largest = joined_labels((1, 20), tiles_of((1, 20), 10, 0), lambda window: np.ones((1, 10), np.int32))
    assert labels.tolist() == [[1] * 10 + [2] * 10]
    assert largest == 2


@pytest.mark.parametrize("margin", [5, 6, 20, 100])
@pytest.mark.parametrize("seed", range(3))
def test_windows_that_agree_give_the_whole(seed, margin, assert_same_objects):
    """Squares of random places and ids; every window sees what is there, under ids of its own."""
    rng = np.random.default_rng(seed)
    full = np.zeros((64, 80), np.int32)
    for i, (row, column) in enumerate(rng.integers(0, 80, (60, 2)), start=1):
        full[row : row + 5, column : column + 5] = i

    def renamed(window):
        return np.append(0, 1 + rng.permutation(60)).astype(np.int32)[full[window]]

    tiles = tiles_of(full.shape, 16, margin)
    assert_same_objects(joined_labels(full.shape, tiles, renamed)[0], np.unique(full, return_inverse=True)[1])
