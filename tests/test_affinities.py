import itertools

import numpy as np
import pytest
import torch
from bioimage_cpp import affinities as bioimage

from study.affinities import affinities, label_pairs, pair_offsets, pair_slices, pyramid_offsets, unit_vectors

IMAGE = ((6, 7), pair_offsets([1, 3], neighbourhood=8))
VOLUME = ((3, 5, 6), pair_offsets([1, 4], axial=[1, 2]))
BOTH = pytest.mark.parametrize(("shape", "offsets"), [IMAGE, VOLUME], ids=["2-D", "3-D"])


def pairs_by_loops(shape, offsets):
    """(n, i, j) of all pairs inside."""
    for n, offset in enumerate(offsets):
        for i in np.ndindex(shape):
            j = tuple(a + d for a, d in zip(i, offset, strict=True))
            if all(0 <= a < size for a, size in zip(j, shape, strict=True)):
                yield n, i, j


def embeddings(shape, seed=0, dims=4):
    return torch.randn(2, dims, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_offsets_of_an_image():
    assert pair_offsets([1, 3]) == ((-1, 0), (0, -1), (-3, 0), (0, -3))
    assert pair_offsets([2], neighbourhood=8) == ((-2, 0), (0, -2), (-2, -2), (-2, 2))
    assert len(pair_offsets([1, 3, 5, 9, 27])) == 10


def test_offsets_of_a_volume():
    assert pair_offsets([1, 3], axial=[2]) == ((0, -1, 0), (0, 0, -1), (0, -3, 0), (0, 0, -3), (-2, 0, 0))
    assert pair_offsets([1], axial=[]) == ((0, -1, 0), (0, 0, -1))


def test_no_two_offsets_are_opposite():
    for offsets in (pair_offsets([1, 3, 5], neighbourhood=8), pair_offsets([1, 3], neighbourhood=8, axial=[1, 2])):
        assert not [(a, b) for a, b in itertools.product(offsets, offsets) if a == tuple(-d for d in b)]


def test_coarser_scales_have_fewer_ranges():
    finest, *coarser = pyramid_offsets([1, 3, 5, 9, 27])
    assert finest == pair_offsets([1, 3, 5, 9, 27])
    assert coarser == [pair_offsets(ranges) for ranges in ([1, 3, 5, 9], [1, 3, 5], [1, 3], [1])]
    assert [len(offsets) for offsets in pyramid_offsets([1, 3])] == [4, 4, 4, 4, 2]
    assert pyramid_offsets([1, 3], axial=[1, 2])[-1] == pair_offsets([1], axial=[1, 2])
    assert [len(offsets) for offsets in pyramid_offsets([1, 3], neighbourhood=8)] == [8, 8, 8, 8, 4]


@pytest.mark.parametrize("bad", [{"ranges": [1, 1]}, {"ranges": [0]}, {"ranges": [1], "axial": [-1]}])
def test_refuses_ranges(bad):
    with pytest.raises(ValueError, match="ranges must be positive"):
        pair_offsets(**bad)


def test_refuses_a_neighbourhood():
    with pytest.raises(ValueError, match="neighbourhood must be 4 or 8, not 6"):
        pair_offsets([1], neighbourhood=6)


@pytest.mark.parametrize("offset", list(itertools.product([-4, -3, -1, 0, 2, 3, 5], repeat=2)))
def test_slices_hold_the_pairs_inside(offset):
    shape = (3, 4)
    first, second = (np.indices(shape)[:, *where] for where in pair_slices(offset, shape))
    expected = [(i, j) for _, i, j in pairs_by_loops(shape, [offset])]
    assert first.shape == second.shape
    assert list(zip(map(tuple, first.reshape(2, -1).T), map(tuple, second.reshape(2, -1).T), strict=True)) == expected


@BOTH
@pytest.mark.parametrize("partly", [False, True])
def test_pairs_of_labels_against_loops(shape, offsets, partly):
    rng = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 3, (2, *shape), generator=rng)
    valid = torch.rand(2, *shape, generator=rng) < 0.7 if partly else None
    pairs = label_pairs(labels, offsets, valid)
    target, mask = torch.zeros(2, 2, len(offsets), *shape, dtype=torch.bool)
    for b, (n, i, j) in itertools.product(range(2), pairs_by_loops(shape, offsets)):
        target[b, n, *i] = labels[b, *i] == labels[b, *j]
        mask[b, n, *i] = not partly or bool(valid[b, *i] and valid[b, *j])
    assert torch.equal(pairs.target, target)
    assert torch.equal(pairs.mask, mask)
    assert pairs.offsets == offsets


@BOTH
def test_pairs_of_labels_against_bioimage(shape, offsets):
    labels = torch.randint(0, 3, (1, *shape), generator=torch.Generator().manual_seed(2))
    target, mask = bioimage.compute_affinities(labels[0].numpy(), offsets)
    pairs = label_pairs(labels, offsets)
    np.testing.assert_array_equal(pairs.target[0].numpy(), target > 0)
    np.testing.assert_array_equal(pairs.mask[0].numpy(), mask > 0)


@BOTH
def test_affinities_against_loops(shape, offsets):
    one, two = embeddings(shape), embeddings(shape, 1)
    own, cross = torch.zeros(2, 2, len(offsets), *shape, dtype=torch.float64)
    for b, (n, i, j) in itertools.product(range(2), pairs_by_loops(shape, offsets)):
        own[b, n, *i] = torch.cosine_similarity(one[b, :, *i], one[b, :, *j], dim=0)
        cross[b, n, *i] = torch.cosine_similarity(one[b, :, *i], two[b, :, *j], dim=0)
    one, two = unit_vectors(one), unit_vectors(two)
    torch.testing.assert_close(affinities(one, offsets), own)
    torch.testing.assert_close(affinities(one, offsets, two), cross)
    torch.testing.assert_close(affinities(one, offsets, one), own)


@BOTH
def test_affinities_against_bioimage(shape, offsets):
    embedding = embeddings(shape)[:1].float()
    distance = bioimage.compute_embedding_distances(embedding[0].numpy(), offsets, norm="cosine")
    inside = label_pairs(torch.zeros(1, *shape), offsets).mask
    expected = torch.where(inside, 1 - torch.from_numpy(distance), 0)
    torch.testing.assert_close(affinities(unit_vectors(embedding), offsets), expected)


@BOTH
def test_gradients(shape, offsets):
    one, two = (embeddings(shape, seed, 2).requires_grad_() for seed in (0, 1))
    assert torch.autograd.gradcheck(lambda e: affinities(unit_vectors(e), offsets), one, fast_mode=True)
    assert torch.autograd.gradcheck(lambda a, b: affinities(a, offsets, b), (one, two), fast_mode=True)
    assert torch.autograd.gradcheck(lambda b: affinities(one.detach(), offsets, b), two, fast_mode=True)
    detached = affinities(one, offsets, two.detach())
    detached.sum().backward()
    assert two.grad is None
    assert one.grad is not None


def test_the_layout_in_memory_does_not_matter():
    embedding, offsets = embeddings((6, 7)), pair_offsets([1, 3])
    last = embedding.to(memory_format=torch.channels_last)
    torch.testing.assert_close(affinities(last, offsets), affinities(embedding, offsets))


def test_unit_vectors():
    found = unit_vectors(torch.tensor([[3.0, 0.0], [4.0, 0.0]])[None])
    torch.testing.assert_close(found, torch.tensor([[[0.6, 0.0], [0.8, 0.0]]]))
    half = unit_vectors(torch.full((1, 16, 2), 100, dtype=torch.bfloat16))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, torch.full((1, 16, 2), 0.25))


def test_offsets_beyond_the_image_make_no_pair():
    offsets = pair_offsets([9, 27], neighbourhood=8)
    labels = torch.ones(1, 3, 4, dtype=torch.long)
    assert not label_pairs(labels, offsets).mask.any()
    embedding = torch.ones(1, 2, 3, 4, requires_grad=True)
    found = affinities(embedding, offsets)
    assert not found.any()
    found.sum().backward()
    assert not embedding.grad.any()
