import numpy as np
import pytest
import torch

from study.affinities import affinities, label_pairs, pair_offsets, pyramid_offsets, unit_vectors
from study.data.batches import resize_labels
from study.losses.affinity import affinity_loss, cross_loss, nearest, pyramid_loss, self_loss

IMAGE = ((5, 6), pair_offsets([1, 3], neighbourhood=8))
VOLUME = ((3, 4, 5), pair_offsets([1, 3], axial=[1, 5]))
BOTH = pytest.mark.parametrize(("shape", "offsets"), [IMAGE, VOLUME], ids=["2-D", "3-D"])


def draw(shape, seed=0):
    """Two embeddings of other lengths than 1, labels and valid pixels of two images."""
    rng = torch.Generator().manual_seed(seed)
    one, two = torch.randn(2, 2, 3, *shape, dtype=torch.float64, generator=rng)
    return one, two, torch.randint(0, 3, (2, *shape), generator=rng), torch.rand(2, *shape, generator=rng) < 0.8


def loss_by_loops(one, two, labels, valid, offsets, balance, scale):
    """Mean over images and offsets of the (balanced) mean over pairs."""
    means = []
    for b in range(len(labels)):
        for offset in offsets:
            errors = {True: [], False: []}
            for i in np.ndindex(labels.shape[1:]):
                j = tuple(a + d for a, d in zip(i, offset, strict=True))
                inside = all(0 <= a < size for a, size in zip(j, labels.shape[1:], strict=True))
                if inside and valid[b, *i] and valid[b, *j]:
                    same = labels[b, *i].item() == labels[b, *j].item()
                    cosine = torch.cosine_similarity(one[b, :, *i], two[b, :, *j], dim=0)
                    errors[same].append((cosine.item() - same) ** 2)
            if balance and errors[True] and errors[False]:
                means.append((np.mean(errors[True]) + np.mean(errors[False])) / 2)
            elif errors[True] + errors[False]:
                means.append(np.mean(errors[True] + errors[False]))
    return np.mean(means) * (labels.shape[1] if scale == "code" else 1)


@BOTH
@pytest.mark.parametrize("balance", [False, True])
@pytest.mark.parametrize("scale", ["paper", "code"])
def test_against_loops(shape, offsets, balance, scale):
    one, two, labels, valid = draw(shape)
    pairs = label_pairs(labels, offsets, valid)
    settings = {"balance": balance, "scale": scale}
    own = self_loss(unit_vectors(one), pairs, **settings)
    assert own.item() == pytest.approx(loss_by_loops(one, one, labels, valid, offsets, *settings.values()))
    cross = cross_loss(unit_vectors(one), unit_vectors(two), pairs, **settings)
    assert cross.item() == pytest.approx(loss_by_loops(one, two, labels, valid, offsets, *settings.values()))


@BOTH
@pytest.mark.parametrize("balance", [False, True])
def test_gradients(shape, offsets, balance):
    one, two, labels, valid = draw(shape)
    pairs = label_pairs(labels, offsets, valid)

    def both(a, b):
        a, b = unit_vectors(a), unit_vectors(b)
        return self_loss(a, pairs, balance=balance) + cross_loss(a, b, pairs, detach=False, balance=balance)

    assert torch.autograd.gradcheck(both, (one.requires_grad_(), two.requires_grad_()), fast_mode=True)


def test_the_other_view_is_detached_unless_asked():
    one, two, labels, _ = draw((5, 6))
    pairs = label_pairs(labels, pair_offsets([1]))
    for detach in (True, False):
        two = two.detach().requires_grad_()
        cross_loss(one.requires_grad_(), two, pairs, detach=detach).backward()
        assert (two.grad is None) == detach


@BOTH
@pytest.mark.parametrize("balance", [False, True])
def test_a_perfect_embedding_costs_nothing_and_a_collapsed_one_all_boundaries(shape, offsets, balance):
    _, _, labels, valid = draw(shape)
    pairs = label_pairs(labels, offsets, valid)
    perfect = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).double()
    assert self_loss(perfect, pairs, balance=balance) == 0
    assert cross_loss(perfect, perfect, pairs, balance=balance) == 0
    collapsed = torch.zeros_like(perfect)
    collapsed[:, 0] = 1
    spatial = tuple(range(2, pairs.mask.ndim))
    count, same = pairs.mask.sum(spatial), (pairs.target & pairs.mask).sum(spatial)
    expected = torch.full_like(count, 0.5, dtype=torch.float64) if balance else (count - same) / count
    torch.testing.assert_close(self_loss(collapsed, pairs, balance=balance), expected[count > 0].double().mean())


def test_a_negative_cosine_costs_more_than_none():
    pairs = label_pairs(torch.tensor([[[1, 2]]]), [(0, -1)])
    embedding = torch.tensor([[[[1.0, -1.0]], [[0.0, 0.0]]]])
    assert self_loss(embedding, pairs) == 1


def test_balance_stops_at_rare_pairs():
    labels = torch.ones(1, 1, 402, dtype=torch.long)
    labels[..., -1] = 2  # one pair in 401 is of two objects
    pairs = label_pairs(labels, [(0, -1)])
    affinity = torch.zeros(1, 1, 1, 402)
    affinity[..., -1] = 1
    wrong_boundary = torch.where(pairs.target, 1.0, affinity)
    found = affinity_loss(wrong_boundary, pairs, balance=True).item()
    assert found == pytest.approx(0.99 / (0.99 + 400 * 0.01))  # as if one pair in 100
    assert affinity_loss(wrong_boundary, pairs).item() == pytest.approx(1 / 401)


@pytest.mark.parametrize("balance", [False, True])
@pytest.mark.parametrize("scale", ["paper", "code"])
@pytest.mark.parametrize("value", [0, 1], ids=["no object", "one object"])
def test_an_image_of_one_label_only_attracts(balance, scale, value):
    raw = torch.randn(1, 3, 4, 4, requires_grad=True)
    pairs = label_pairs(torch.full((1, 4, 4), value), pair_offsets([1, 3]))
    loss = self_loss(unit_vectors(raw), pairs, balance=balance, scale=scale)
    loss.backward()
    assert loss > 0
    assert torch.isfinite(raw.grad).all()
    assert self_loss(torch.full((1, 4, 4, 4), 0.5), pairs, balance=balance, scale=scale) == 0


@pytest.mark.parametrize("balance", [False, True])
@pytest.mark.parametrize("embedding", [torch.ones(1, 2, 3, 3), torch.zeros(1, 2, 3, 3)], ids=["ones", "zeros"])
def test_without_a_pair_the_loss_is_zero(balance, embedding):
    labels = torch.tensor([[[0, 1, 1], [1, 2, 2], [3, 3, 3]]])
    for pairs in (label_pairs(labels, [(-1, 0)], labels < 0), label_pairs(labels, [(-3, 0), (0, -27)])):
        raw = embedding.clone().requires_grad_()
        loss = self_loss(unit_vectors(raw), pairs, balance=balance)
        loss.backward()
        assert loss == 0
        assert not raw.grad.any()


def test_an_offset_beyond_the_image_does_not_dilute_the_mean():
    one, _, labels, _ = draw((5, 6))
    near, both = label_pairs(labels, [(-1, 0)]), label_pairs(labels, [(-1, 0), (-27, 0)])
    torch.testing.assert_close(self_loss(one, both), self_loss(one, near))


def test_ids_do_not_matter():
    one, _, labels, _ = draw((5, 6))
    offsets = pair_offsets([1, 3])
    renamed = torch.tensor([7, 0, 90])[labels]
    assert self_loss(one, label_pairs(labels, offsets)) == self_loss(one, label_pairs(renamed, offsets))


def test_affinities_of_a_head_are_a_loss_of_their_own():
    _, _, labels, valid = draw((5, 6))
    pairs = label_pairs(labels, pair_offsets([1, 3]), valid)
    assert affinity_loss(pairs.target.float(), pairs) == 0
    assert affinity_loss(1 - pairs.target.float(), pairs) == 1
    assert affinity_loss(1 - pairs.target.float(), pairs, balance=True) == 1


@pytest.mark.parametrize("axial", [None, [1]], ids=["2-D", "3-D"])
def test_the_pyramid_sums_the_scales(axial):
    shape = (16, 32) if axial is None else (2, 16, 32)
    labels = torch.randint(0, 3, (1, *shape)).float()
    labels = torch.nn.functional.max_pool2d(labels, 7, stride=1, padding=3).long()
    offsets = pyramid_offsets([1, 3], axial=axial)[1:]
    planes = shape[:-2]
    scaled = [nearest(labels, (*planes, 16 // 2**k, 32 // 2**k)) for k in range(1, 5)]
    torch.testing.assert_close(scaled[0], labels[..., 1::2, 1::2])  # of the two nearest, the later one
    embeddings = [unit_vectors(torch.randn(1, 4, *ids.shape[1:])) for ids in scaled]
    expected = sum(self_loss(e, label_pairs(ids, own)) for e, ids, own in zip(embeddings, scaled, offsets, strict=True))
    torch.testing.assert_close(pyramid_loss(embeddings, labels, offsets), expected)
    perfect = [torch.nn.functional.one_hot(ids, 3).movedim(-1, 1).float() for ids in scaled]
    assert pyramid_loss(perfect, labels, offsets) == 0
    assert pyramid_loss(embeddings, labels, offsets, labels < 0) == 0


@pytest.mark.parametrize("shape", [(4, 3), (7, 9), (1, 1), (14, 5)])
def test_nearest_labels(shape):
    labels = np.arange(7 * 9, dtype=np.int32).reshape(7, 9)
    found = nearest(torch.from_numpy(labels)[None], shape)[0]
    np.testing.assert_array_equal(found.numpy(), resize_labels(labels, shape))


def test_refuses_a_scale():
    pairs = label_pairs(torch.zeros(1, 2, 2), [(-1, 0)])
    with pytest.raises(ValueError, match="scale must be one of paper, code, not 'sum'"):
        affinity_loss(affinities(torch.ones(1, 1, 2, 2), pairs.offsets), pairs, scale="sum")
