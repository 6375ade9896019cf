import pytest
import torch
from torch.nn import functional as F

from study.affinities import label_pairs, pyramid_offsets
from study.config import Loss
from study.losses import class_loss, cosine_embedding_loss, discriminative_loss, distance_loss, total_loss
from study.losses.affinity import cross_loss, pyramid_loss, self_loss
from study.networks import Maps
from tests.losses.oracles import example


def test_distance_loss():
    target = torch.tensor([[[0.0, 1.0]]])
    assert distance_loss(10 * target[:, None], target, Loss()) == 0
    assert distance_loss(torch.zeros(1, 1, 1, 2), target, Loss()) == 50


@pytest.mark.parametrize("balance", ["distance", "both"])
def test_balanced_distance_loss_gives_foreground_and_background_the_same_weight(balance):
    target = torch.tensor([[[0.0, 0.0, 0.0, 1.0]], [[0.0, 0.0, 0.0, 0.0]]])
    distance = torch.tensor([[[[1.0, 0.0, 1.0, 4.0]]], [[[2.0, 0.0, 0.0, 0.0]]]])
    # first image: errors 1, 0, 1 outside, 9 inside; second: 4, 0, 0, 0 outside, nothing inside
    expected = ((2 / 3 + 9) / 2 + 1) / 2
    assert distance_loss(distance, target, Loss(balance=balance, distance_scale=1)).item() == pytest.approx(expected)


def test_total_loss_weighs_its_terms():
    embedding, labels, neighbours = example()
    maps = Maps(torch.ones(2, 1, 5, 6), embedding, None)
    target = torch.zeros(2, 5, 6)
    inter, intra = cosine_embedding_loss(embedding, labels, neighbours, Loss()).values()

    def total(**settings):
        return total_loss(maps, target, labels, neighbours, Loss(distance_scale=1, **settings))["loss"].item()

    assert total() == pytest.approx(1 + (inter + intra).item())
    assert total(inter_weight=10.0, embedding_weight=5) == pytest.approx(1 + 5 * (10 * inter + intra).item())
    assert total(inter_weight="only") == pytest.approx(1 + inter.item())
    aux = Maps(maps.distance, embedding, embedding)
    terms = total_loss(aux, target, labels, neighbours, Loss(distance_scale=1))
    assert terms["loss"].item() == pytest.approx(1 + 2 * (inter + intra).item())


def test_total_loss_with_the_discriminative_loss():
    embedding, labels, neighbours = example()
    settings = Loss(name="discriminative", distance_scale=1, inter_weight=2.0, regulariser_weight=0.5)
    terms = total_loss(Maps(torch.ones(2, 1, 5, 6), embedding), torch.zeros(2, 5, 6), labels, neighbours, settings)
    inter, intra, regulariser = discriminative_loss(embedding, labels, neighbours, settings).values()
    assert terms["loss_regulariser"] == regulariser
    assert terms["loss"].item() == pytest.approx((1 + 2 * inter + intra + 0.5 * regulariser).item())


def test_total_loss_of_classes():
    _, labels, neighbours = example()
    classes = torch.randn(2, 3, 5, 6)
    maps = Maps(torch.rand(2, 1, 5, 6), classes[:, :0], classes=classes)
    for balance in ("none", "distance"):
        terms = total_loss(maps, torch.zeros(2, 5, 6), labels, neighbours, Loss(balance=balance))
        assert terms == {"loss": class_loss(classes, labels, balanced=balance != "none")}


RANGES = {"name": "affinity", "ranges": "1+3"}


def pyramid_maps():
    torch.manual_seed(0)
    scales = [F.normalize(torch.randn(2, 4, side, side), dim=1) for side in (16, 8, 4)]
    return Maps(torch.rand(2, 1, 16, 16), scales[0], mask=torch.randn(2, 1, 16, 16), pyramid=tuple(scales[1:]))


def test_total_loss_of_affinities():
    maps, labels = pyramid_maps(), torch.randint(0, 3, (2, 16, 16))
    other = F.normalize(torch.randn(2, 4, 16, 16), dim=1)

    def terms(**settings):
        return total_loss(maps, torch.zeros(2, 16, 16), labels, labels, Loss(**RANGES, **settings), other)

    all_terms = terms(cross_weight=2.0, pyramid_weight=3.0, embedding_weight=0.5)
    assert list(all_terms) == ["loss", "loss_mask", "loss_self", "loss_cross", "loss_pyramid"]
    mask = F.binary_cross_entropy_with_logits(maps.mask[:, 0], (labels > 0).float())
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
    balanced = terms(pair_balance=True, affinity_scale="code")["loss_self"]
    torch.testing.assert_close(balanced, self_loss(maps.embedding, pairs, balance=True, scale="code"))


def test_total_loss_of_predicted_affinities():
    labels = torch.randint(0, 3, (2, 16, 16))
    pairs = label_pairs(labels, pyramid_offsets((1, 3))[0])
    perfect = Maps(torch.rand(2, 1, 16, 16), pairs.target.float(), mask=20.0 * (2 * (labels[:, None] > 0) - 1))
    terms = total_loss(perfect, torch.zeros(2, 16, 16), labels, labels, Loss(**RANGES))
    assert terms["loss_self"] == 0
    assert terms["loss"] < 1e-6
