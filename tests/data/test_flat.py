import errno
import tempfile

import numpy as np
import pytest

from study import allotment
from study.data.flat import FlatArrays, memory_bound, parts_of
from study.errors import StudyError
from tests.maps import is_mapped

PIECES = [np.arange(6).reshape(2, 3), np.full((1, 2, 2), 7), np.zeros((0, 4)), np.array([250])]


def filled(bound):
    flat = FlatArrays(bound, wide=np.float16, narrow=np.uint8)
    for piece in PIECES:
        flat.append(wide=piece + 0.25, narrow=piece.T)
    return flat


# 33 bytes in all, 18 of the first piece
@pytest.mark.parametrize(("bound", "on_disk"), [(33, False), (32, True), (18, True), (0, True), (-5, True)])
def test_values_stand_one_after_the_other_in_memory_or_on_the_disk(bound, on_disk, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    flat = filled(bound)
    assert (flat.size, flat.on_disk) == (33, on_disk)
    found = flat.arrays()
    np.testing.assert_array_equal(found["wide"], [0.25, 1.25, 2.25, 3.25, 4.25, 5.25, *[7.25] * 4, 250.25])
    np.testing.assert_array_equal(found["narrow"], [0, 3, 1, 4, 2, 5, 7, 7, 7, 7, 250])
    assert (found["wide"].dtype, found["narrow"].dtype) == (np.float16, np.uint8)
    assert [is_mapped(array) for array in found.values()] == [on_disk] * 2
    assert not list(tmp_path.iterdir())  # no name, so that it goes with the arrays


@pytest.mark.parametrize("bound", [0, 100])
def test_parts_are_views_of_the_shapes_that_were_appended(bound):
    wide = filled(bound).arrays()["wide"]
    found = parts_of(wide, [piece.shape for piece in PIECES])
    for part, piece in zip(found, PIECES, strict=True):
        np.testing.assert_array_equal(part, (piece + 0.25).astype(np.float16))
        assert np.shares_memory(part, wide) == bool(piece.size)


def test_nothing_appended():
    found = FlatArrays(-1, values=np.int32).arrays()["values"]
    assert (found.shape, found.dtype) == ((0,), np.int32)
    assert parts_of(found, []) == []


def test_no_room_on_the_disk_is_told(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("study.data.flat.tempfile.TemporaryFile", full)
    with pytest.raises(
        StudyError, match=rf"file of 0.00 GB, which cannot be written into {tmp_path}: No space .*TMPDIR"
    ):
        filled(0)


@pytest.mark.parametrize(("threads", "cores", "bound"), [(1, 1, 500), (1, 4, 125), (4, 4, 500), (8, 4, 500)])
def test_the_bound_is_this_process_s_share_of_the_memory(threads, cores, bound, monkeypatch):
    monkeypatch.setattr(allotment, "memory", lambda: 1000)
    monkeypatch.setattr(allotment, "cores", lambda: cores)
    monkeypatch.setattr("study.data.flat.torch.get_num_threads", lambda: threads)
    assert memory_bound() == bound
