import pytest
import torch

from study.config import Loss
from study.losses import distance_loss, total_loss
from study.losses.cosine import cosine_embedding_loss, object_sums
from study.networks import Maps


def naive_loss(embedding, labels, neighbours, settings):
    """Eq. 1 by loops over images, objects and pixels."""
    inters, intras = [], []
    for e, ids, table in zip(embedding, labels, neighbours, strict=True):
        first = 0 if settings.background_as_object else 1
        present = [c for c in range(first, len(table)) if (ids == c).any()]
        pixels = {c: e[:, ids == c] for c in present}
        mu = {c: p.mean(1) / p.mean(1).norm() for c, p in pixels.items()}
        gaps = {c: torch.stack([1 - p[:, i] @ mu[c] for i in range(p.shape[1])]) for c, p in pixels.items()}
        if settings.intra_reduction == "object":
            intras.append(sum(g.mean() for g in gaps.values()) / max(1, len(present)))
        else:
            intras.append(sum(g.sum() for g in gaps.values()) / max(1, sum(len(g) for g in gaps.values())))
        similarity = {"absolute": abs, "signed": lambda x: x, "squared": lambda x: x * x}[settings.similarity]
        rows = []
        for a in present:
            near = [b for b in present if b != a and (settings.constraints == "global" or table[a, b])]
            rows.append([similarity(mu[a] @ mu[b]) for b in near])
        if settings.inter_reduction == "object":
            inters.append(sum(sum(row) / max(1, len(row)) for row in rows) / max(1, len(present)))
        else:
            inters.append(sum(map(sum, rows)) / max(1, sum(map(len, rows))))
    return sum(inters) / len(inters), sum(intras) / len(intras)


def example(seed=0, dims=3):
    torch.manual_seed(seed)
    embedding = torch.nn.functional.normalize(torch.randn(2, dims, 5, 6, dtype=torch.float64), dim=1)
    labels = torch.randint(0, 4, (2, 5, 6))
    labels[1][labels[1] == 2] = 0  # a gap in the ids
    neighbours = torch.zeros(2, 4, 4, dtype=torch.bool)
    for a, b in ((0, 1), (0, 2), (0, 3), (1, 2)):
        neighbours[:, a, b] = neighbours[:, b, a] = True
    return embedding, labels, neighbours


@pytest.mark.parametrize("constraints", ["local", "global"])
@pytest.mark.parametrize("similarity", ["absolute", "signed", "squared"])
@pytest.mark.parametrize("reduction", [("object", "object"), ("pixel", "pair")])
@pytest.mark.parametrize("background", [True, False])
def test_equals_loops_over_objects_and_pixels(constraints, similarity, reduction, background):
    settings = Loss(
        constraints=constraints,
        similarity=similarity,
        intra_reduction=reduction[0],
        inter_reduction=reduction[1],
        background_as_object=background,
    )
    found = cosine_embedding_loss(*example(), settings)
    torch.testing.assert_close(found, naive_loss(*example(), settings))


@pytest.mark.parametrize("settings", [Loss(), Loss(similarity="squared", constraints="global", inter_reduction="pair")])
def test_gradient(settings):
    embedding, labels, neighbours = example()

    def loss(raw):
        return sum(cosine_embedding_loss(torch.nn.functional.normalize(raw, dim=1), labels, neighbours, settings))

    assert torch.autograd.gradcheck(loss, embedding.clone().requires_grad_())


def test_permuting_the_ids_changes_nothing():
    embedding, labels, neighbours = example()
    order = torch.tensor([0, 3, 1, 2])
    permuted = torch.zeros_like(neighbours)
    permuted[:, order.view(-1, 1), order.view(1, -1)] = neighbours
    before = cosine_embedding_loss(embedding, labels, neighbours, Loss())
    torch.testing.assert_close(cosine_embedding_loss(embedding, order[labels], permuted, Loss()), before)


def one_hot(labels, dims):
    return torch.nn.functional.one_hot(labels, dims).permute(0, 3, 1, 2).double()


def test_perfect_and_collapsed_embeddings():
    _, labels, neighbours = example()
    inter, intra = cosine_embedding_loss(one_hot(labels, 4), labels, neighbours, Loss())
    assert abs(inter) < 1e-6
    assert abs(intra) < 1e-6
    collapsed = torch.zeros(2, 4, 5, 6, dtype=torch.float64)
    collapsed[:, 1] = 1
    inter, intra = cosine_embedding_loss(collapsed, labels, neighbours, Loss())
    torch.testing.assert_close(inter.item(), 1.0)  # every object has a neighbour: the background
    assert abs(intra) < 1e-6


def test_local_constraints_let_distant_objects_share_a_direction():
    _, labels, neighbours = example()
    shared = one_hot(torch.tensor([0, 1, 2, 2])[labels], 4)  # 2 and 3 are no neighbours
    assert abs(cosine_embedding_loss(shared, labels, neighbours, Loss())[0]) < 1e-6
    assert cosine_embedding_loss(shared, labels, neighbours, Loss(constraints="global"))[0] > 0.05


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("labels", [torch.zeros(1, 3, 3), torch.ones(1, 3, 3), torch.full((1, 3, 3), 2)])
def test_no_object_and_one_object_give_finite_values_and_gradients(labels, background):
    raw = torch.zeros(1, 4, 3, 3, requires_grad=True)
    neighbours = torch.ones(1, 4, 4, dtype=torch.bool)
    terms = cosine_embedding_loss(raw + 0, labels.long(), neighbours, Loss(background_as_object=background))
    sum(terms).backward()
    assert all(torch.isfinite(term) for term in terms)
    assert torch.isfinite(raw.grad).all()
    assert terms[0] == 0


def test_object_sums():
    embedding = torch.arange(8.0).view(1, 2, 2, 2)
    sums, sizes = object_sums(embedding, torch.tensor([[[0, 2], [2, 2]]]), 3)
    assert sums.tolist() == [[[0, 4], [0, 0], [6, 18]]]
    assert sizes.tolist() == [[1, 0, 3]]


def test_distance_loss():
    target = torch.tensor([[[0.0, 1.0]]])
    assert distance_loss(10 * target[:, None], target, 10) == 0
    assert distance_loss(torch.zeros(1, 1, 1, 2), target, 10) == 50


def test_total_loss_weighs_its_terms():
    embedding, labels, neighbours = example()
    maps = Maps(torch.ones(2, 1, 5, 6), embedding, None)
    target = torch.zeros(2, 5, 6)
    inter, intra = cosine_embedding_loss(embedding, labels, neighbours, Loss())

    def total(**settings):
        return total_loss(maps, target, labels, neighbours, Loss(distance_scale=1, **settings))["loss"].item()

    assert total() == pytest.approx(1 + (inter + intra).item())
    assert total(inter_weight=10.0, distance_weight=2) == pytest.approx(2 + (10 * inter + intra).item())
    assert total(inter_weight="only") == pytest.approx(1 + inter.item())
    aux = Maps(maps.distance, embedding, embedding)
    terms = total_loss(aux, target, labels, neighbours, Loss(distance_scale=1))
    assert terms["loss"].item() == pytest.approx(1 + 2 * (inter + intra).item())
