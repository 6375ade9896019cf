import pytest
import torch

from study.affinities import label_pairs, unit_vectors
from study.data.batches import Batch
from study.losses.affinity import AffinityLoss, affinity_loss, cross_loss, nearest, self_loss
from study.maps import NetworkOutput

SHAPE, SCALES = (3, 8, 8), ((3, 8, 8), (3, 4, 4), (3, 2, 2))
RANGES = {"ranges": "1+3", "axial": "1+2"}


def batch(labels):
    """A batch of volumes as `TrainingVolumes` makes it: what has no label is not valid."""
    none = torch.zeros(0)
    return Batch(none, none, labels, none, valid=labels > 0)


@pytest.fixture
def labels():
    """Two volumes of blocks, partly unlabelled: blocks are large enough to be seen at the coarsest scale."""
    blocks = torch.randint(0, 3, (2, 3, 2, 2), generator=torch.Generator().manual_seed(3))
    found = blocks.repeat_interleave(4, 2).repeat_interleave(4, 3)
    found[:, :, :, 7] = 0
    return found


def vectors(seed=0):
    """A unit vector for each voxel of each scale, and those of a second view."""
    rng = torch.Generator().manual_seed(seed)
    *scales, other = (unit_vectors(torch.randn(2, 4, *shape, generator=rng)) for shape in (*SCALES, SHAPE))
    return scales, other


def terms(scales, other, labels, **settings):
    output = NetworkOutput(embedding=scales[0], pyramid=tuple(scales[1:]))
    return AffinityLoss(**RANGES, **settings).terms(output, batch(labels), other)


def test_offsets_of_a_volume():
    loss = AffinityLoss(ranges="1+3", axial="1+2+4")
    finest, *coarser = loss.offsets(3)
    axial = ((-1, 0, 0), (-2, 0, 0), (-4, 0, 0))
    assert finest == ((0, -1, 0), (0, 0, -1), (0, -3, 0), (0, 0, -3), *axial)
    assert all(set(axial) <= set(offsets) <= set(finest) for offsets in coarser)
    assert loss.affinity_channels(3) == 7
    assert loss.affinity_channels(2) == 4


@pytest.mark.parametrize("balance", [False, True])
def test_unlabelled_voxels_change_nothing(labels, balance):
    (scales, other), (others, another) = vectors(0), vectors(1)
    mixed = [
        torch.where((nearest(labels, own.shape[2:]) > 0)[:, None], own, new)
        for own, new in zip([*scales, other], [*others, another], strict=True)
    ]
    assert not any(torch.equal(own, new) for own, new in zip([*scales, other], mixed, strict=True))
    how = {"cross_detach": False, "pair_balance": balance}
    found = terms(mixed[:-1], mixed[-1], labels, **how)
    expected = terms(scales, other, labels, **how)
    assert set(found) == {"loss", "loss_self", "loss_cross", "loss_pyramid"}
    for name, value in expected.items():
        assert value > 0
        torch.testing.assert_close(found[name], value, msg=name)


def test_unlabelled_voxels_get_no_gradient(labels):
    scales, other = vectors()
    inputs = [maps.requires_grad_() for maps in (*scales, other)]
    terms(inputs[:-1], inputs[-1], labels, cross_detach=False)["loss"].backward()
    for maps in inputs:
        unlabelled = (nearest(labels, maps.shape[2:]) == 0)[:, None].expand_as(maps)
        assert not maps.grad[unlabelled].any()
        assert maps.grad.any()


def test_a_label_more_or_less_changes_the_loss(labels):
    scales, other = vectors()
    fewer = labels.clone()
    fewer[:, :, 4:] = 0
    before, after = (terms(scales, other, own) for own in (labels, fewer))
    assert all(before[name] != after[name] for name in before)


@pytest.mark.parametrize("balance", [False, True])
def test_without_a_label_the_loss_is_zero(labels, balance):
    scales, other = vectors()
    scales = [maps.requires_grad_() for maps in scales]
    found = terms(scales, other, torch.zeros_like(labels), pair_balance=balance)
    found["loss"].backward()
    assert all(value == 0 for value in found.values())
    assert not any(maps.grad.any() for maps in scales)


def test_terms_are_those_of_the_pairs_within_labels(labels):
    scales, other = vectors()
    found = terms(scales, other, labels, cross_weight=2.0, pyramid_weight=0.0)
    pairs = label_pairs(labels, AffinityLoss(**RANGES).offsets(3)[0], labels > 0)
    torch.testing.assert_close(found["loss_self"], self_loss(scales[0], pairs))
    torch.testing.assert_close(found["loss_cross"], 2 * cross_loss(scales[0], other, pairs))
    torch.testing.assert_close(found["loss"], found["loss_self"] + found["loss_cross"])


@pytest.mark.parametrize(
    ("axial", "expected"),
    [("1", 1 / 3), ("1+2", 1 / 4), ("1+2+3", 2 / 5)],  # of two offsets in planes, and these, whose errors are 1, 0, 1
)
def test_axial_offsets_compare_planes(axial, expected):
    """Of one object, planes by turns have one of two orthogonal vectors."""
    planes = torch.eye(2)[torch.tensor([0, 1, 0, 1])].T
    embedding = planes[None, :, :, None, None].expand(1, 2, 4, 3, 3)
    loss = AffinityLoss(ranges="1", axial=axial, pyramid_weight=0.0, cross_weight=0.0)
    found = loss.terms(NetworkOutput(embedding=embedding), batch(torch.ones(1, 4, 3, 3, dtype=torch.long)))
    assert found["loss"].item() == pytest.approx(expected)


def test_predicted_affinities_of_a_volume(labels):
    loss = AffinityLoss(**RANGES)
    pairs = label_pairs(labels, loss.offsets(3)[0], labels > 0)
    affinity = pairs.target.float()
    found = loss.terms(NetworkOutput(affinities=affinity), batch(labels))
    assert {name: value.item() for name, value in found.items()} == {"loss": 0, "loss_self": 0}
    wrong = torch.where(pairs.mask, affinity, 0.7)  # of pairs that do not count
    assert loss.terms(NetworkOutput(affinities=wrong), batch(labels))["loss"] == 0
    code = AffinityLoss(**RANGES, scale="code").terms(NetworkOutput(affinities=1 - affinity), batch(labels))["loss"]
    torch.testing.assert_close(code, 3 * affinity_loss(1 - affinity, pairs))  # three planes
