import pytest
import torch
from torch.nn import functional as F

from study.affinities import label_pairs, pyramid_offsets
from study.data.batches import Batch
from study.losses.affinity import AffinityLoss, cross_loss, pyramid_loss, self_loss
from study.losses.cosine import CosineLoss
from study.losses.discriminative import DiscriminativeLoss
from study.losses.three_class import ClassLoss, class_loss
from study.maps import NetworkOutput
from tests.losses.oracles import example


def batch(labels, neighbours=None):
    """A batch whose distance maps are 0."""
    return Batch(labels.float()[:, None], torch.zeros(labels.shape), labels, neighbours)


def test_distance_loss():
    target = torch.tensor([[[0.0, 1.0]]])
    assert CosineLoss().distance_loss(10 * target[:, None], target) == 0
    assert CosineLoss().distance_loss(torch.zeros(1, 1, 1, 2), target) == 50


@pytest.mark.parametrize("balance", ["distance", "both"])
def test_balanced_distance_loss_gives_foreground_and_background_the_same_weight(balance):
    target = torch.tensor([[[0.0, 0.0, 0.0, 1.0]], [[0.0, 0.0, 0.0, 0.0]]])
    distance = torch.tensor([[[[1.0, 0.0, 1.0, 4.0]]], [[[2.0, 0.0, 0.0, 0.0]]]])
    # first image: errors 1, 0, 1 outside, 9 inside; second: 4, 0, 0, 0 outside, nothing inside
    expected = ((2 / 3 + 9) / 2 + 1) / 2
    loss = CosineLoss(balance=balance, distance_scale=1).distance_loss(distance, target)
    assert loss.item() == pytest.approx(expected)


def test_total_loss_weighs_its_terms():
    embedding, labels, neighbours = example()
    output = NetworkOutput(distance=torch.ones(2, 1, 5, 6), embedding=embedding)
    inter, intra = CosineLoss().embedding_terms(embedding, labels, neighbours).values()

    def total(**settings):
        return CosineLoss(distance_scale=1, **settings).terms(output, batch(labels, neighbours))["loss"].item()

    assert total() == pytest.approx(1 + (inter + intra).item())
    assert total(inter_weight=10.0, embedding_weight=5) == pytest.approx(1 + 5 * (10 * inter + intra).item())
    assert total(inter_weight="only") == pytest.approx(1 + inter.item())
    aux = output._replace(aux_embedding=embedding)
    terms = CosineLoss(distance_scale=1).terms(aux, batch(labels, neighbours))
    assert terms["loss"].item() == pytest.approx(1 + 2 * (inter + intra).item())


def test_total_loss_with_the_discriminative_loss():
    embedding, labels, neighbours = example()
    settings = DiscriminativeLoss(distance_scale=1, inter_weight=2.0, regulariser_weight=0.5)
    output = NetworkOutput(distance=torch.ones(2, 1, 5, 6), embedding=embedding)
    terms = settings.terms(output, batch(labels, neighbours))
    inter, intra, regulariser = settings.embedding_terms(embedding, labels, neighbours).values()
    assert terms["loss_regulariser"] == regulariser
    assert terms["loss"].item() == pytest.approx((1 + 2 * inter + intra + 0.5 * regulariser).item())


def test_total_loss_of_classes():
    _, labels, neighbours = example()
    classes = torch.randn(2, 3, 5, 6)
    output = NetworkOutput(classes=classes)
    for balance in (False, True):
        terms = ClassLoss(balance=balance).terms(output, batch(labels, neighbours))
        assert terms == {"loss": class_loss(classes, labels, balanced=balance)}


RANGES = {"ranges": "1+3"}


def pyramid_maps():
    torch.manual_seed(0)
    scales = [F.normalize(torch.randn(2, 4, side, side), dim=1) for side in (16, 8, 4)]
    return NetworkOutput(foreground=torch.randn(2, 1, 16, 16), embedding=scales[0], pyramid=tuple(scales[1:]))


def test_total_loss_of_affinities():
    maps, labels = pyramid_maps(), torch.randint(0, 3, (2, 16, 16))
    other = F.normalize(torch.randn(2, 4, 16, 16), dim=1)

    def terms(**settings):
        return AffinityLoss(**RANGES, **settings).terms(maps, batch(labels), other)

    all_terms = terms(cross_weight=2.0, pyramid_weight=3.0, embedding_weight=0.5)
    assert list(all_terms) == ["loss", "loss_mask", "loss_self", "loss_cross", "loss_pyramid"]
    mask = F.binary_cross_entropy_with_logits(maps.foreground[:, 0], (labels > 0).float())
    finest, half, quarter = pyramid_offsets((1, 3))[:3]
    pairs = label_pairs(labels, finest)
    expected = {
        "loss_mask": mask,
        "loss_self": self_loss(maps.embedding, pairs),
        "loss_cross": 2 * cross_loss(maps.embedding, other, pairs),
        "loss_pyramid": 3 * pyramid_loss(maps.pyramid, labels, [half, quarter]),
    }
    for name, value in expected.items():
        torch.testing.assert_close(all_terms[name], value)
    torch.testing.assert_close(all_terms["loss"], mask + 0.5 * sum(list(expected.values())[1:]))
    assert list(terms(cross_weight=0.0, pyramid_weight=0.0)) == ["loss", "loss_mask", "loss_self"]
    balanced = terms(pair_balance=True, scale="code")["loss_self"]
    torch.testing.assert_close(balanced, self_loss(maps.embedding, pairs, balance=True, scale="code"))


def test_total_loss_of_predicted_affinities():
    labels = torch.randint(0, 3, (2, 16, 16))
    pairs = label_pairs(labels, pyramid_offsets((1, 3))[0])
    foreground = 20.0 * (2 * (labels[:, None] > 0) - 1)
    perfect = NetworkOutput(foreground=foreground, affinities=pairs.target.float())
    terms = AffinityLoss(**RANGES).terms(perfect, batch(labels))
    assert terms["loss_self"] == 0
    assert terms["loss"] < 1e-6
