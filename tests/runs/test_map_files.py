import errno
import tempfile

import numpy as np
import pytest

from study.clustering import CLUSTERERS, segment
from study.errors import StudyError
from study.maps import EMBEDDINGS, ImageMaps
from study.runs.map_files import maps_on_disk, read_maps, write_maps
from tests.maps import is_mapped

SHAPES = [(3, 5), (7, 2), (2, 3, 4)]


def maps(shapes=SHAPES):
    rng = np.random.default_rng(0)
    return [
        ImageMaps({"distance": rng.random(shape).astype(np.float16), "embedding": rng.normal(size=(*shape, 3))})
        for shape in shapes
    ]


def written(path, found, made_of="that"):
    with path.open("wb") as file:
        write_maps(file, found, made_of)
    return path


def read(path, made_of="that"):
    with path.open("rb") as file:
        return read_maps(file, made_of)


def test_maps_come_back_in_the_order_of_their_images_without_taking_memory(tmp_path):
    path = written(tmp_path / "x", ((i, maps()[i]) for i in (2, 0, 1)))
    for one, other in zip(read(path), maps(), strict=True):
        assert one.named.keys() == other.named.keys()
        for name, array in one.named.items():
            np.testing.assert_array_equal(array, other.named[name])
            assert array.dtype == other.named[name].dtype
            assert array.flags.aligned
            assert not array.flags.writeable
            assert is_mapped(array)


def test_maps_are_written_as_they_come(tmp_path):
    """The next are not computed before those before them are on their way."""
    sizes = []

    def one_by_one():
        for i, found in enumerate(maps([(64, 64)] * 5)):
            sizes.append((tmp_path / "x").stat().st_size)
            yield i, found

    written(tmp_path / "x", one_by_one())
    assert sizes == sorted(set(sizes))


def test_maps_of_something_else_are_not_given(tmp_path):
    assert read(written(tmp_path / "x", enumerate(maps()), "this")) is None


def test_no_images(tmp_path):
    assert read(written(tmp_path / "x", [])) == []


@pytest.mark.parametrize("place", range(0, 1000, 37))
def test_a_byte_that_has_changed_is_found(place, tmp_path):
    path = written(tmp_path / "x", enumerate(maps([(3, 5)])))
    content = bytearray(path.read_bytes())
    place = place % len(content)
    padding = range(30, 64)  # between the two arrays
    content[place] ^= 255
    path.write_bytes(content)
    if place in padding:
        assert read(path) is not None
    else:
        with pytest.raises(ValueError, match=r"has changed"):
            read(path)


def test_maps_in_a_temporary_file_are_gone_with_them(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = maps_on_disk((i, maps()[i]) for i in (1, 2, 0))
    assert not list(tmp_path.iterdir())
    for one, other in zip(found, maps(), strict=True):
        np.testing.assert_array_equal(one.embedding, other.embedding)
        assert is_mapped(one.embedding)


def test_no_room_for_a_temporary_file_is_told(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("study.runs.map_files.write_maps", full)
    with pytest.raises(StudyError, match=rf"cannot be written into {tmp_path}: No space left on device; free space"):
        maps_on_disk(enumerate(maps()))


@pytest.mark.parametrize("method", CLUSTERERS)
def test_labels_of_maps_on_the_disk_are_those_of_maps_in_memory(method):
    """Arrays that cannot be written are to every clusterer what others are."""
    clustering = CLUSTERERS[method](foreground="none")
    labels = np.zeros((24, 24), np.int32)
    labels[2:10, 2:10], labels[12:22, 4:20] = 1, 2
    for name, metric in EMBEDDINGS.items():
        if metric == "affinity" or metric not in clustering.metrics:
            continue
        depth = np.where(labels > 0, 0.9, 0).astype(np.float16)
        noise = np.random.default_rng(0).normal(0, 0.05, (24, 24, 4))
        kept = ImageMaps({"distance": depth, name: (np.eye(4)[labels] + noise).astype(np.float16)})
        (mapped,) = maps_on_disk([(0, kept)])
        found = segment(mapped, clustering)
        assert found.max() > 0
        np.testing.assert_array_equal(found, segment(kept, clustering))
