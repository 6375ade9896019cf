import numpy as np
import pytest
import torch
from bioimage_cpp import affinities as bioimage
from scipy import ndimage

from study.affinities import affinities, label_pairs, pair_offsets, unit_vectors
from study.clustering.connected import connected_components
from study.clustering.mutex import merge_fragments, segment_affinities

OFFSETS = pair_offsets([1, 3, 5])
VOLUME_OFFSETS = pair_offsets([1, 3], axial=[1, 2])
EDGES = pair_offsets([1])


@pytest.fixture
def volume(four_objects):
    """Touching objects in planes, and one below another."""
    planes = np.repeat(four_objects[None], 6, axis=0)
    planes[3:][planes[3:] == 2] = 5
    return planes


def perfect(labels, offsets):
    return bioimage.compute_affinities(labels.astype(np.int32), offsets)[0]


def random_affinities(shape, offsets, seed):
    rng = np.random.default_rng(seed)
    embedding = ndimage.gaussian_filter(rng.normal(size=(3, *shape)), (0, *(1 for _ in shape)))
    return affinities(unit_vectors(torch.from_numpy(embedding)[None]), offsets)[0].numpy()


def by_pairs(affinity, offsets, strides, mask, bias=0):
    """`segment_affinities` without merging of fragments, pair by pair."""
    pairs = []
    for n, offset in enumerate(offsets):
        attractive = max(map(abs, offset)) == 1
        for i in map(tuple, np.argwhere(mask)):
            j = tuple(a + d for a, d in zip(i, offset, strict=True))
            inside = all(0 <= a < size for a, size in zip(j, mask.shape, strict=True))
            on_grid = attractive or all(a % step == 0 for a, step in zip(i, strides, strict=True))
            if inside and mask[j] and on_grid:
                value = np.float32(affinity[n, *i])
                pairs.append((value if attractive else 1 - value + bias, attractive, i, j))
    object_of = {i: {i} for i in map(tuple, np.argwhere(mask))}
    parted = []
    for _, attractive, i, j in sorted(pairs, key=lambda pair: -pair[0]):
        one, two = object_of[i], object_of[j]
        if one is two:
            continue
        if not attractive:
            parted.append((i, j))
        elif not any({id(object_of[p]), id(object_of[q])} == {id(one), id(two)} for p, q in parted):
            one |= two
            object_of.update(dict.fromkeys(two, one))
    labels = np.zeros(mask.shape, int)
    for n, pixels in enumerate({id(pixels): pixels for pixels in object_of.values()}.values(), 1):
        labels[tuple(np.transpose(list(pixels)))] = n
    return labels


def merged_by_loops(labels, affinity, offsets, min_size):
    """`merge_fragments`, object by object."""
    while True:
        values = {}
        for n, offset in enumerate(offsets):
            for i in np.ndindex(labels.shape):
                j = tuple(a + d for a, d in zip(i, offset, strict=True))
                if all(0 <= a < size for a, size in zip(j, labels.shape, strict=True)):
                    a, b = labels[i], labels[j]
                    if a and b and a != b:
                        values.setdefault((a, b), []).append(affinity[n, *i])
                        values.setdefault((b, a), []).append(affinity[n, *i])
        area = {i: (labels == i).sum() for i in np.unique(labels) if i}
        small = [i for i in area if area[i] < min_size and any(a == i for a, _ in values)]
        if not small:
            return labels
        group = {i: {i} for i in area}
        for i in small:
            neighbours = [b for a, b in values if a == i]
            chosen = min(neighbours, key=lambda b, i=i: (-np.mean(values[i, b], dtype=float), -area[b], b))
            union = group[i] | group[chosen]
            group.update(dict.fromkeys(union, union))
        labels = np.vectorize(lambda i, group=group: min(group[i]) if i else 0)(labels)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("shape", "offsets", "strides"), [((9, 10), OFFSETS, (2, 3)), ((3, 6, 7), VOLUME_OFFSETS, (1, 2, 2))]
)
@pytest.mark.parametrize(("masked", "bias"), [(False, 0), (True, 0), (False, 0.25), (True, -0.25)])
def test_against_pairs(canonical, shape, offsets, strides, seed, masked, bias):
    affinity = random_affinities(shape, offsets, seed)
    mask = np.random.default_rng(seed).random(shape) < (0.8 if masked else 1)
    labels = segment_affinities(affinity, offsets, strides=strides, bias=bias, mask=mask if masked else None)
    assert labels.dtype == np.int32
    assert labels.max() > 2
    assert canonical(labels) == canonical(by_pairs(affinity, offsets, strides, mask, bias))


def test_perfect_affinities_are_recovered(four_objects, volume, canonical):
    for labels, offsets in ((four_objects, OFFSETS), (volume, VOLUME_OFFSETS)):
        assert canonical(segment_affinities(perfect(labels, offsets), offsets)) == canonical(
            connected_components(labels + 1)
        )
        found = segment_affinities(perfect(labels, offsets), offsets, mask=labels > 0, min_size=30)
        assert canonical(found) == canonical(labels)


def test_perfect_embeddings_are_recovered_with_strides(four_objects, canonical):
    embedding = torch.nn.functional.one_hot(torch.from_numpy(four_objects)).movedim(-1, 0)[None].float()
    affinity = affinities(embedding, OFFSETS)[0].numpy()
    np.testing.assert_array_equal(affinity, label_pairs(torch.from_numpy(four_objects)[None], OFFSETS).target[0])
    found = segment_affinities(affinity, OFFSETS, strides=(2, 2), mask=four_objects > 0)
    assert canonical(found) == canonical(four_objects)


def test_order_of_the_offsets_does_not_matter(canonical):
    affinity = random_affinities((12, 14), OFFSETS, 0)
    order = [5, 0, 3, 1, 2, 4]
    found = segment_affinities(affinity[order], [OFFSETS[n] for n in order])
    assert canonical(found) == canonical(segment_affinities(affinity, OFFSETS))


def test_longer_ranges_repel():
    affinity = np.ones((2, 1, 6), np.float32)
    affinity[0, 0, 3] = 0.4  # between columns 2 and 3
    offsets = [(0, -1), (0, -3)]
    assert segment_affinities(affinity, offsets).tolist() == [[1] * 6]
    affinity[1, 0, 3:] = 0.5  # repel by 0.5
    assert segment_affinities(affinity, offsets).tolist() == [[1, 1, 1, 2, 2, 2]]


def test_what_is_not_finite_is_no_affinity():
    affinity = np.ones((2, 1, 6), np.float32)
    affinity[:, 0, 3:] = np.nan
    affinity[0, 0, 4:] = 1
    assert segment_affinities(affinity, [(0, -1), (0, -3)]).tolist() == [[1, 1, 1, 2, 2, 2]]


def test_input_stays():
    affinity = random_affinities((6, 7), EDGES, 0)
    before = affinity.copy()
    segment_affinities(affinity, EDGES, min_size=5)
    np.testing.assert_array_equal(affinity, before)


@pytest.mark.parametrize("min_size", [2, 5, 12])
@pytest.mark.parametrize(("shape", "offsets"), [((9, 10), EDGES), ((3, 5, 6), pair_offsets([1], axial=[1]))])
@pytest.mark.parametrize("seed", range(3))
def test_merging_against_loops(canonical, shape, offsets, min_size, seed):
    rng = np.random.default_rng(seed)
    affinity = rng.choice([0.1, 0.5, 0.9], (len(offsets), *shape))
    pieces = np.unique(rng.integers(0, 12, shape), return_inverse=True)[1].reshape(shape)
    found = merge_fragments(pieces, affinity, offsets, min_size)
    assert found.dtype == np.int32
    assert canonical(found) == canonical(merged_by_loops(pieces, affinity, offsets, min_size))
    assert np.unique(found).tolist() == list(range(found.max() + 1))


def test_a_fragment_joins_its_strongest_neighbour():
    labels = np.array([[1, 1, 2, 3, 3, 3]])
    affinity = np.array([[[0, 1, 0.4, 0.6, 1, 1]]])
    assert merge_fragments(labels, affinity, [(0, -1)], 2).tolist() == [[1, 1, 2, 2, 2, 2]]
    affinity[0, 0, 3] = 0.4  # equal: the larger one
    assert merge_fragments(labels, affinity, [(0, -1)], 2).tolist() == [[1, 1, 2, 2, 2, 2]]
    affinity[0, 0, 3] = 0.3
    assert merge_fragments(labels, affinity, [(0, -1)], 2).tolist() == [[1, 1, 1, 2, 2, 2]]


def test_the_mean_counts_and_not_the_sum():
    labels = np.array([[2, 2, 2, 3], [1, 1, 3, 3]])
    affinity = np.zeros((2, 2, 4))
    affinity[0, 1, :2] = 0.4  # two pairs of 1 with 2
    affinity[1, 1, 2] = 0.5  # one of 1 with 3
    assert merge_fragments(labels, affinity, EDGES, 3).tolist() == [[2, 2, 2, 1], [1, 1, 1, 1]]


def test_fragments_merge_until_none_is_left_but_the_isolated():
    labels = np.array([[1, 2, 3, 4, 0, 5]])
    affinity = np.array([[[0, 0.9, 0.1, 0.8, 0.7, 0.7]]])
    assert merge_fragments(labels, affinity, [(0, -1)], 2).tolist() == [[1, 1, 2, 2, 0, 3]]
    assert merge_fragments(labels, affinity, [(0, -1)], 3).tolist() == [[1, 1, 1, 1, 0, 2]]
    assert merge_fragments(labels, affinity, [(0, -1)], 1).tolist() == labels.tolist()


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4)])
def test_nothing_to_cluster(shape):
    offsets = OFFSETS if len(shape) == 2 else VOLUME_OFFSETS
    affinity = np.ones((len(offsets), *shape), np.float32)
    assert not segment_affinities(affinity, offsets, mask=np.zeros(shape, bool), min_size=5).any()
    one = np.zeros(shape, bool)
    one[(0,) * len(shape)] = True
    np.testing.assert_array_equal(segment_affinities(affinity, offsets, mask=one, min_size=5), one)


def test_same_input_same_output():
    affinity = np.round(random_affinities((20, 20), OFFSETS, 3), 1)  # many ties
    runs = [segment_affinities(affinity, OFFSETS, min_size=10, strides=(2, 2)) for _ in range(2)]
    np.testing.assert_array_equal(*runs)


def test_refuses_what_does_not_fit():
    affinity = np.zeros((2, 3, 4), np.float32)
    with pytest.raises(ValueError, match="2 affinities per pixel do not fit 6 offsets"):
        segment_affinities(affinity, OFFSETS)
    with pytest.raises(ValueError, match="nothing would attract"):
        segment_affinities(affinity, pair_offsets([3]))
