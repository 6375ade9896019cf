import pytest
import torch

from study.losses import discriminative
from study.losses.discriminative import DiscriminativeLoss
from tests.losses.oracles import example, naive_between, naive_within, one_hot


def discriminative_loss(embedding, labels, neighbours, settings):
    return settings.embedding_terms(embedding, labels, neighbours)


def naive_loss(embedding, labels, neighbours, settings):
    """De Brabandere et al. 2017 by loops over images, objects and pixels."""
    found = {"inter": [], "intra": [], "regulariser": []}
    for e, ids, table in zip(embedding, labels, neighbours, strict=True):
        first = 0 if settings.background_as_object else 1
        present = [c for c in range(first, len(table)) if (ids == c).any()]
        pixels = {c: e[:, ids == c] for c in present}
        mu = {c: p.mean(1) for c, p in pixels.items()}
        pulled = {
            c: torch.stack(
                [((p[:, i] - mu[c]).norm() - settings.pull_margin).clamp(min=0) ** 2 for i in range(p.shape[1])]
            )
            for c, p in pixels.items()
        }

        def pushed(a, b, mu=mu):
            return (2 * settings.push_margin - (mu[a] - mu[b]).norm()).clamp(min=0) ** 2

        found["intra"].append(naive_within(pulled, settings))
        found["inter"].append(naive_between(pushed, present, table, settings))
        found["regulariser"].append(sum(m.norm() for m in mu.values()) / max(1, len(present)))
    return {name: sum(values) / len(values) for name, values in found.items()}


@pytest.mark.parametrize("constraints", ["local", "global"])
@pytest.mark.parametrize("margins", [(0.5, 1.5), (1.0, 0.4), (0.0, 3.0)])
@pytest.mark.parametrize(
    "reduction", [("object", "pair", "none"), ("pixel", "object", "none"), ("pixel", "pair", "both")]
)
@pytest.mark.parametrize("background", [True, False])
def test_equals_loops_over_objects_and_pixels(constraints, margins, reduction, background):
    settings = DiscriminativeLoss(
        constraints=constraints,
        pull_margin=margins[0],
        push_margin=margins[1],
        intra_reduction=reduction[0],
        inter_reduction=reduction[1],
        balance=reduction[2],
        background_as_object=background,
    )
    embedding, labels, neighbours = example()
    found = discriminative_loss(2 * embedding, labels, neighbours, settings)
    torch.testing.assert_close(found, naive_loss(2 * embedding, labels, neighbours, settings))


@pytest.mark.parametrize("constraints", ["local", "global"])
def test_gradient(constraints):
    embedding, labels, neighbours = example()
    settings = DiscriminativeLoss(constraints=constraints, push_margin=1.0)

    def loss(raw):
        return sum(discriminative_loss(raw, labels, neighbours, settings).values())

    assert torch.autograd.gradcheck(loss, (1.5 * embedding).requires_grad_())


def test_perfect_and_collapsed_embeddings():
    _, labels, neighbours = example()
    settings = DiscriminativeLoss(constraints="global")
    terms = discriminative_loss(3 * one_hot(labels, 4), labels, neighbours, settings)
    assert terms["inter"] == 0  # 3 times the root of 2 apart, more than 2 x 1.5
    assert terms["intra"] == 0
    assert terms["regulariser"].item() == pytest.approx(3)
    terms = discriminative_loss(torch.zeros(2, 4, 5, 6), labels, neighbours, settings)
    assert terms["inter"].item() == pytest.approx(9, abs=1e-4)  # (2 x 1.5 - 0) squared
    assert terms["intra"] == 0


def test_pushes_apart_and_not_together():
    labels = torch.tensor([[[1, 1, 2, 2]]])
    embedding = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]], requires_grad=True)
    everyone = torch.ones(1, 3, 3, dtype=torch.bool)
    discriminative_loss(embedding, labels, everyone, DiscriminativeLoss(constraints="global"))["inter"].backward()
    assert (embedding.grad[0, 0, 0, :2] > 0).all()  # descent moves the first object down ...
    assert (embedding.grad[0, 0, 0, 2:] < 0).all()  # ... and the second up


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("labels", [torch.zeros(1, 3, 3), torch.ones(1, 3, 3), torch.full((1, 3, 3), 2)])
def test_no_object_and_one_object_give_finite_values_and_gradients(labels, background):
    raw = torch.zeros(1, 4, 3, 3, requires_grad=True)
    neighbours = ~torch.eye(4, dtype=torch.bool)[None]
    terms = discriminative_loss(raw + 0, labels.long(), neighbours, DiscriminativeLoss(background_as_object=background))
    sum(terms.values()).backward()
    assert all(torch.isfinite(term) for term in terms.values())
    assert torch.isfinite(raw.grad).all()
    assert terms["inter"] == 0


def values_and_gradient(embedding, labels, neighbours):
    raw = embedding.clone().requires_grad_()
    terms = discriminative_loss(raw, labels, neighbours, DiscriminativeLoss())
    sum(terms.values()).backward()
    return terms, raw.grad


def test_blocks_change_nothing(monkeypatch):
    embedding, labels, neighbours = example()
    whole = values_and_gradient(2 * embedding, labels, neighbours)
    monkeypatch.setattr(discriminative, "_BLOCK", 21)  # 7 of 60 pixels
    torch.testing.assert_close(values_and_gradient(2 * embedding, labels, neighbours), whole, rtol=0, atol=0)


def test_under_autocast():
    embedding, labels, neighbours = example()
    single = (2 * embedding).float()
    terms, grad = values_and_gradient(single, labels, neighbours)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(values_and_gradient(single, labels, neighbours), (terms, grad))
        of_half, half_grad = values_and_gradient(single.bfloat16(), labels, neighbours)
    assert all(term.dtype == torch.float32 for term in of_half.values())
    torch.testing.assert_close(of_half, terms, rtol=2e-2, atol=2e-2)
    torch.testing.assert_close(half_grad.float(), grad, rtol=5e-2, atol=2e-3)


def test_two_means_at_one_place_give_finite_gradients():
    labels = torch.tensor([[[1, 2, 2, 1]]])
    everyone = torch.ones(1, 3, 3, dtype=torch.bool)
    terms, grad = values_and_gradient(torch.ones(1, 2, 1, 4), labels, everyone)
    assert terms["inter"] == 9
    assert torch.isfinite(grad).all()
