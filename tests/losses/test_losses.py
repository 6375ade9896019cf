import pytest
import torch

from study.config import Loss
from study.losses import class_loss, cosine_embedding_loss, discriminative_loss, distance_loss, total_loss
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
