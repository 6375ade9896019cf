import numpy as np
import pytest
import torch

from study.losses.cosine import CosineLoss
from study.metrics import distinct_axes, mean_directions, neighbour_angle


def angle_of(embedding, labels, neighbours):
    return neighbour_angle(mean_directions(embedding, labels, len(neighbours)), neighbours)


def axes_of(embedding, labels, **limit):
    return distinct_axes(mean_directions(embedding, labels, labels.max() + 1), **limit)


def angle_by_loops(embedding, labels, neighbours):
    angles = []
    for a in range(1, len(neighbours)):
        for b in range(a + 1, len(neighbours)):
            if (neighbours[a, b] or neighbours[b, a]) and (labels == a).any() and (labels == b).any():
                first, second = (embedding[labels == i].mean(axis=0) for i in (a, b))
                cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
                angles.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return np.mean(angles)


def random_case(seed, objects=6, dims=5):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, objects + 1, (9, 11))
    labels[labels == 3] = 0  # an id without pixels
    embedding = rng.normal(size=(9, 11, dims)) + 2 * rng.normal(size=(objects + 1, dims))[labels]
    embedding /= np.linalg.norm(embedding, axis=2, keepdims=True)
    return embedding, labels, np.triu(rng.random((objects + 1, objects + 1)) < 0.6)


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_loops(seed):
    case = random_case(seed)
    assert angle_of(*case) == pytest.approx(angle_by_loops(*case))
    embedding, labels, neighbours = case
    assert angle_of(embedding.astype(np.float16), labels, neighbours) == pytest.approx(angle_by_loops(*case), abs=0.1)


LABELS = np.array([[0, 1, 1, 2], [0, 0, 3, 3]])
X, Y, DIAGONAL, ZERO = [1.0, 0.0], [0.0, 1.0], [0.5**0.5, 0.5**0.5], [0.0, 0.0]
ROW = np.array([[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]], bool)  # 1 beside 2, 2 beside 3
ALL = ~np.eye(4, dtype=bool)


def directed(*vectors):
    """Objects that have these directions all over."""
    return np.array(vectors)[LABELS]


@pytest.mark.parametrize(
    ("vectors", "neighbours", "angle"),
    [
        ((ZERO, X, Y, X), ROW, 90),  # 1 and 3 may share a direction, they are no neighbours
        ((ZERO, X, Y, X), ALL, 60),
        ((ZERO, X, X, X), ROW, 0),
        ((ZERO, X, DIAGONAL, DIAGONAL), ROW, 22.5),
        ((ZERO, X, [-1.0, 0.0], X), ROW, 180),
        ((X, X, Y, X), ALL, 60),  # the background's direction plays no part
    ],
)
def test_known_angles(vectors, neighbours, angle):
    assert angle_of(directed(*vectors), LABELS, neighbours) == pytest.approx(angle, abs=1e-5)


def test_the_angle_is_between_mean_directions():
    embedding = directed(ZERO, X, DIAGONAL, X)
    embedding[0, 1:3] = X, Y  # the mean of 1 is the diagonal now
    first_two = np.zeros((4, 4), bool)
    first_two[1, 2] = True  # in one triangle suffices
    assert angle_of(embedding, LABELS, first_two) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("labels", "neighbours"),
    [
        (LABELS, np.zeros((4, 4), bool)),
        (LABELS, np.eye(4, dtype=bool)),
        (np.where(LABELS == 1, 1, 0), ALL),  # a single object, beside the background
        (np.zeros_like(LABELS), ALL),
        (np.zeros_like(LABELS), np.zeros((1, 1), bool)),
    ],
)
def test_no_angle_without_neighbours(labels, neighbours):
    assert np.isnan(angle_of(directed(X, X, Y, X), labels, neighbours))


@pytest.mark.parametrize("broken", [ZERO, [np.nan, 1.0], [np.inf, 0.0]])
def test_objects_without_a_direction_are_passed_over(broken):
    embedding = directed(X, X, Y, X)
    embedding[1, 2:] = broken
    assert angle_of(embedding, LABELS, ROW) == pytest.approx(90)
    assert np.isnan(angle_of(np.broadcast_to(broken, embedding.shape), LABELS, ROW))


def test_embeddings_that_cancel_out_give_no_direction():
    embedding = directed(X, X, Y, X)
    embedding[1, 2:] = np.array([[0.6, 0.8], [-0.6, -0.8]], np.float32)
    assert angle_of(embedding, LABELS, ROW) == pytest.approx(90)


@pytest.mark.parametrize("seed", range(3))
def test_names_flips_and_rotations_do_not_matter(seed):
    embedding, labels, neighbours = random_case(seed)
    expected = angle_of(embedding, labels, neighbours)
    rng = np.random.default_rng(seed)
    assert angle_of(embedding[::-1], labels[::-1], neighbours.T) == pytest.approx(expected)
    names = np.append(0, 1 + rng.permutation(len(neighbours) - 1))
    renamed = np.zeros_like(neighbours)
    renamed[np.ix_(names, names)] = neighbours
    assert angle_of(embedding, names[labels], renamed) == pytest.approx(expected)
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert angle_of(embedding @ rotation, labels, neighbours) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("shape", "top", "words"), [((2, 3, 2), 3, "differ in rows or columns"), ((2, 4, 2), 4, "do not fit 4 objects")]
)
def test_shapes_that_do_not_fit(shape, top, words):
    with pytest.raises(ValueError, match=words):
        angle_of(np.ones(shape), np.where(LABELS == 3, top, LABELS), ALL)


@pytest.mark.parametrize(
    ("vectors", "axes"), [((X, X, Y, X), 2), ((X, [-1.0, 0.0], X, X), 1), ((X, DIAGONAL, Y, X), 3)]
)
def test_distinct_axes_of_the_background_and_three_objects(vectors, axes):
    assert axes_of(directed(*vectors), LABELS) == axes


def test_no_two_directions_of_an_axis_are_farther_apart_than_the_limit():
    fan = [[np.cos(a), np.sin(a)] for a in np.radians([0, 20, 45, 65])]  # a chain of near ones
    assert axes_of(directed(*fan), LABELS) == 2
    assert axes_of(directed(*fan), LABELS, within=66) == 1


def test_axes_of_free_vectors_under_the_absolute_and_the_squared_cosine():
    """Sixteen objects, all neighbours, in eight dimensions: |cos| leaves eight axes, its square keeps sixteen apart."""
    found = {}
    for similarity in ("absolute", "squared"):
        torch.manual_seed(0)
        labels = torch.arange(16).repeat_interleave(2).view(1, 4, 8)
        free = torch.randn(1, 8, 4, 8, requires_grad=True)
        optimiser = torch.optim.Adam([free], 0.05)
        loss = CosineLoss(similarity=similarity, constraints="global")
        for step in range(1500):
            optimiser.param_groups[0]["lr"] = 0.05 * (1 - step / 1500)
            unit = torch.nn.functional.normalize(free, dim=1)
            terms = loss.embedding_terms(unit, labels, torch.ones(1, 16, 16, dtype=torch.bool))
            optimiser.zero_grad()
            (terms["inter"] + terms["intra"]).backward()
            optimiser.step()
        unit = torch.nn.functional.normalize(free.detach(), dim=1)[0].permute(1, 2, 0).numpy()
        found[similarity] = axes_of(unit, labels[0].numpy())
    assert found == {"absolute": 8, "squared": 16}


def test_no_directions_no_axes():
    assert np.isnan(axes_of(np.zeros((2, 4, 2)), LABELS))


def test_mean_directions_of_objects():
    labels = np.array([[1, 1, 3, 4, 4]])
    embedding = np.array([[[1, 0], [0, 1], [0, -1], [1, 0], [-1, 0]]], float)
    found = mean_directions(embedding, labels, 6)
    # 2 and 5 are not there, and 4 cancels out
    assert found.present.tolist() == [False, True, False, True, False, False]
    half = 0.5**0.5
    np.testing.assert_allclose(found.vectors[found.present], [[half, half], [0, -1]])


def test_sums_of_a_large_image_are_those_of_its_blocks():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, (300, 400))
    embedding = rng.normal(size=(300, 400, 3)).astype(np.float16)  # more numbers than are summed at once
    found = mean_directions(embedding, labels, 5)
    for i in range(5):
        total = embedding[labels == i].astype(float).sum(axis=0)
        np.testing.assert_allclose(found.vectors[i], total / np.linalg.norm(total), rtol=1e-12)
