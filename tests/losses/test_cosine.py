import pytest
import torch

from study.losses.cosine import CosineLoss
from tests.losses.oracles import example, naive_between, naive_within, one_hot


def cosine_embedding_loss(embedding, labels, neighbours, settings):
    return settings.embedding_terms(embedding, labels, neighbours)


def naive_loss(embedding, labels, neighbours, settings):
    """Eq. 1 by loops over images, objects and pixels."""
    inters, intras = [], []
    for e, ids, table in zip(embedding, labels, neighbours, strict=True):
        first = 0 if settings.background_as_object else 1
        present = [c for c in range(first, len(table)) if (ids == c).any()]
        pixels = {c: e[:, ids == c] for c in present}
        mu = {c: p.mean(1) / p.mean(1).norm() for c, p in pixels.items()}
        gaps = {c: torch.stack([1 - p[:, i] @ mu[c] for i in range(p.shape[1])]) for c, p in pixels.items()}
        intras.append(naive_within(gaps, settings))
        similarity = {"absolute": abs, "signed": lambda x: x, "squared": lambda x: x * x}[settings.similarity]
        inters.append(naive_between(lambda a, b: similarity(mu[a] @ mu[b]), present, table, settings))  # noqa: B023
    return {"inter": sum(inters) / len(inters), "intra": sum(intras) / len(intras)}


@pytest.mark.parametrize("constraints", ["local", "global"])
@pytest.mark.parametrize("similarity", ["absolute", "signed", "squared"])
@pytest.mark.parametrize(
    "reduction", [("object", "object", "none"), ("pixel", "pair", "none"), ("pixel", "object", "both")]
)
@pytest.mark.parametrize("background", [True, False])
def test_equals_loops_over_objects_and_pixels(constraints, similarity, reduction, background):
    settings = CosineLoss(
        constraints=constraints,
        similarity=similarity,
        intra_reduction=reduction[0],
        inter_reduction=reduction[1],
        balance=reduction[2],
        background_as_object=background,
    )
    found = cosine_embedding_loss(*example(), settings)
    torch.testing.assert_close(found, naive_loss(*example(), settings))


@pytest.mark.parametrize(
    "settings", [CosineLoss(), CosineLoss(similarity="squared", constraints="global", inter_reduction="pair")]
)
def test_gradient(settings):
    embedding, labels, neighbours = example()

    def loss(raw):
        terms = cosine_embedding_loss(torch.nn.functional.normalize(raw, dim=1), labels, neighbours, settings)
        return sum(terms.values())

    assert torch.autograd.gradcheck(loss, embedding.clone().requires_grad_())


def test_permuting_the_ids_changes_nothing():
    embedding, labels, neighbours = example()
    order = torch.tensor([0, 3, 1, 2])
    permuted = torch.zeros_like(neighbours)
    permuted[:, order.view(-1, 1), order.view(1, -1)] = neighbours
    before = cosine_embedding_loss(embedding, labels, neighbours, CosineLoss())
    torch.testing.assert_close(cosine_embedding_loss(embedding, order[labels], permuted, CosineLoss()), before)


def test_perfect_and_collapsed_embeddings():
    _, labels, neighbours = example()
    terms = cosine_embedding_loss(one_hot(labels, 4), labels, neighbours, CosineLoss())
    assert abs(terms["inter"]) < 1e-6
    assert abs(terms["intra"]) < 1e-6
    collapsed = torch.zeros(2, 4, 5, 6, dtype=torch.float64)
    collapsed[:, 1] = 1
    terms = cosine_embedding_loss(collapsed, labels, neighbours, CosineLoss())
    torch.testing.assert_close(terms["inter"].item(), 1.0)  # every object has a neighbour: the background
    assert abs(terms["intra"]) < 1e-6


def test_local_constraints_let_distant_objects_share_a_direction():
    _, labels, neighbours = example()
    shared = one_hot(torch.tensor([0, 1, 2, 2])[labels], 4)  # 2 and 3 are no neighbours
    assert abs(cosine_embedding_loss(shared, labels, neighbours, CosineLoss())["inter"]) < 1e-6
    assert cosine_embedding_loss(shared, labels, neighbours, CosineLoss(constraints="global"))["inter"] > 0.05


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("labels", [torch.zeros(1, 3, 3), torch.ones(1, 3, 3), torch.full((1, 3, 3), 2)])
def test_no_object_and_one_object_give_finite_values_and_gradients(labels, background):
    raw = torch.zeros(1, 4, 3, 3, requires_grad=True)
    neighbours = torch.ones(1, 4, 4, dtype=torch.bool)
    terms = cosine_embedding_loss(raw + 0, labels.long(), neighbours, CosineLoss(background_as_object=background))
    sum(terms.values()).backward()
    assert all(torch.isfinite(term) for term in terms.values())
    assert torch.isfinite(raw.grad).all()
    assert terms["inter"] == 0
