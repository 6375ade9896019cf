from dataclasses import replace

import numpy as np
import pytest
import torch

from study.affinities import label_pairs, pair_offsets
from study.clustering import segment
from study.config import Clustering

PEA = Clustering(
    method="affinity-watershed", affinity_ranges="1+2+3", affinity_stride=1, foreground="predicted", fragment_size=0
)


def test_predicted_affinities_are_taken_as_they_are(perfect_maps, four_objects, canonical):
    distance, _ = perfect_maps(four_objects, [0, 1, 2, 3, 4])
    pairs = label_pairs(torch.from_numpy(four_objects)[None], pair_offsets((1, 2, 3)))
    affinity = pairs.target[0].permute(1, 2, 0).numpy().astype(np.float16)
    settings = replace(PEA, metric="affinity")
    assert canonical(segment(distance, affinity, settings)) == canonical(four_objects)


@pytest.mark.parametrize(("ranges", "neighbourhood"), [("1+2+3", 4), ("1+3", 8), ("1+2+3+4+5", 8)])
def test_ranges_and_neighbourhood_are_free_for_an_embedding(
    perfect_maps, four_objects, canonical, ranges, neighbourhood
):
    changes = {"affinity_ranges": ranges, "affinity_neighbourhood": neighbourhood}
    found = segment(*perfect_maps(four_objects, [0, 1, 2, 3, 4]), replace(PEA, **changes))
    assert canonical(found) == canonical(four_objects)


def test_fragments_join_their_neighbour(perfect_maps, four_objects):
    distance, embedding = perfect_maps(four_objects, [0, 1, 2, 3, 4])
    embedding[4, 2] = [0, 0, 0, 0.6, 0.8]  # one pixel of another direction
    apart, joined = (segment(distance, embedding, replace(PEA, min_size=0, fragment_size=size)) for size in (0, 5))
    assert (apart.max(), joined.max()) == (5, 4)
    assert joined[4, 2] == joined[4, 3]
