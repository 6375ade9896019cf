import resource
import tempfile

import numpy as np
import pytest
import torch

from study.data.batches import NetworkImage
from study.deploy.tiling import array_on_disk, tiles_of
from study.errors import StudyError
from study.inference import predict_maps
from study.settings import Settings
from tests.networks.built import build


@pytest.mark.parametrize("shape", [(1, 1), (7, 64), (64, 65), (200, 230), (129, 31)])
@pytest.mark.parametrize(("longest", "margin", "multiple"), [(64, 12, 1), (64, 12, 16), (50, 20, 8), (10, 30, 4)])
def test_tiles(shape, longest, margin, multiple):
    tiles = tiles_of(shape, longest, margin, multiple)
    covered = np.zeros(shape, int)
    for core, window in tiles:
        covered[core] += 1
        for own, seen, size in zip(core, window, shape, strict=True):
            assert 0 < own.stop - own.start < longest + multiple
            assert own.start % multiple == seen.start % multiple == 0
            assert own.stop == size or own.stop % multiple == 0
            assert seen.stop == size or seen.stop % multiple == 0
            assert seen.start == 0 or margin <= own.start - seen.start < margin + multiple
            assert seen.stop == size or margin <= seen.stop - own.stop < margin + multiple
    assert (covered == 1).all()


def test_tiles_are_of_nearly_equal_size():
    cores = [tile.core[1] for tile in tiles_of((5, 1100), 1024, 0, 16)]
    assert [core.stop - core.start for core in cores] == [560, 540]


def test_the_core_within_the_window():
    image = np.arange(30 * 40).reshape(30, 40)
    for tile in tiles_of(image.shape, 12, 5):
        np.testing.assert_array_equal(image[tile.window][tile.inner], image[tile.core])


@pytest.mark.parametrize(("halo", "multiple", "close"), [(28, 4, True), (28, 1, False), (4, 4, False)])
def test_maps_of_tiles_are_those_of_the_whole_image(halo, multiple, close):
    """With the radius of the receptive field as halo: 14 of the encoder, 9 of the decoder, 3 of the pooling grid."""
    changes = {"network.name": "unet", "network.depth": 2, "network.base_width": 4, "training.precision": "float32"}
    torch.manual_seed(0)
    network = build(1, Settings().with_(changes)).eval()

    def predict(pixels):
        labels = np.zeros(pixels.shape[:2], np.int32)
        return predict_maps(network, [NetworkImage("x", pixels, labels, labels)], Settings().with_(changes))[0]

    pixels = np.random.default_rng(0).normal(size=(70, 97, 1)).astype(np.float16)
    whole, apart = predict(pixels), 0.0
    for tile in tiles_of(pixels.shape[:2], 38, halo, multiple):
        part = predict(pixels[tile.window])
        for name in ("objectness", "embedding"):
            found, wanted = getattr(part, name)[tile.inner], getattr(whole, name)[tile.core]
            apart = max(apart, np.abs(found.astype(float) - wanted).max())
    assert (apart < 2e-3) == close


def test_an_array_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    array = array_on_disk((700, 1001, 2), np.float16)  # more than a chunk, and no multiple of it
    assert (array.shape, array.dtype) == ((700, 1001, 2), np.float16)
    assert not array.any()
    array[699, 1000] = 1, 2
    assert array[699, 1000].tolist() == [1, 2]
    assert array.sum() == 3
    assert list(tmp_path.iterdir()) == []


def test_no_room_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StudyError, match=rf"temporary file of 0.02 GB.*into {tmp_path}: .*TMPDIR"):
            array_on_disk((100, 100, 1000), np.float16)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_no_folder_for_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(StudyError, match="missing: No such file or directory; free space there or name another folder"):
        array_on_disk((2, 2), np.int32)
