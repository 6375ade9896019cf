from dataclasses import replace

import numpy as np
import pytest
import torch

from study.affinities import label_pairs, pair_offsets
from study.clustering.affinity_watershed import AffinityWatershed
from tests.clustering.arrays import segment

PEA = AffinityWatershed(ranges="1+2+3", stride=1, foreground="predicted", fragment_size=0)


def test_predicted_affinities_are_taken_as_they_are(perfect_maps, four_objects, canonical):
    distance, _ = perfect_maps(four_objects, [0, 1, 2, 3, 4])
    pairs = label_pairs(torch.from_numpy(four_objects)[None], pair_offsets((1, 2, 3)))
    affinity = pairs.target[0].permute(1, 2, 0).numpy().astype(np.float16)
    assert canonical(segment(distance, affinity, PEA, metric="affinity")) == canonical(four_objects)


@pytest.mark.parametrize(("ranges", "neighbourhood"), [("1+2+3", 4), ("1+3", 8), ("1+2+3+4+5", 8)])
def test_ranges_and_neighbourhood_are_free_for_an_embedding(
    perfect_maps, four_objects, canonical, ranges, neighbourhood
):
    changes = {"ranges": ranges, "neighbourhood": neighbourhood}
    found = segment(*perfect_maps(four_objects, [0, 1, 2, 3, 4]), replace(PEA, **changes))
    assert canonical(found) == canonical(four_objects)


def test_embeddings_of_any_length_are_compared_by_their_direction(perfect_maps, four_objects, canonical):
    distance, embedding = perfect_maps(four_objects, [0, 1, 2, 3, 4])
    longer = embedding * np.linspace(0.5, 9, embedding[..., 0].size).reshape(*embedding.shape[:2], 1)
    found = segment(distance, longer.astype(np.float32), PEA, metric="euclidean")
    assert canonical(found) == canonical(four_objects)


def test_fragments_join_their_neighbour(perfect_maps, four_objects):
    distance, embedding = perfect_maps(four_objects, [0, 1, 2, 3, 4])
    embedding[4, 2] = [0, 0, 0, 0.6, 0.8]  # one pixel of another direction
    apart, joined = (segment(distance, embedding, replace(PEA, min_size=0, fragment_size=size)) for size in (0, 5))
    assert (apart.max(), joined.max()) == (5, 4)
    assert joined[4, 2] == joined[4, 3]


def test_bias_parts_or_merges():
    """Touching objects whose embeddings are 60 degrees apart: affinity 0.5 attracts as much as it repels."""
    labels = np.zeros((8, 12), np.int32)
    labels[2:6, 2:6], labels[2:6, 6:10] = 1, 2
    embedding = np.zeros((*labels.shape, 2), np.float32)
    embedding[labels == 1] = [1, 0]
    embedding[labels == 2] = [0.5, 0.75**0.5]
    distance = (labels > 0).astype(np.float32)
    settings = replace(PEA, ranges="1+2", min_size=0)
    parted, merged = (segment(distance, embedding, replace(settings, bias=bias)) for bias in (0.2, -0.2))
    np.testing.assert_array_equal(parted, labels)
    np.testing.assert_array_equal(merged, labels > 0)
