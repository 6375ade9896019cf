import io

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from study.data.batches import NetworkImage
from study.figures import embedding_colours, label_colours, tiles_of
from study.maps import NetworkOutput
from study.profiles import load_settings
from study.runs.affinity_pictures import affinity_pictures, log_affinity_pictures
from study.tracking import connect, start_run
from tests.networks.built import build

LABELS = np.zeros((16, 16), np.int32)
LABELS[2:14, 2:8], LABELS[2:14, 8:14] = 1, 2  # they touch


def image_of(labels=LABELS):
    pixels = np.random.default_rng(0).normal(size=(*labels.shape, 3)).astype(np.float16)
    pixels[..., 0] = labels  # what the oracles below read
    return NetworkImage("a", pixels, labels, labels)


def settings(system="pea", overrides=""):
    return load_settings(profile="smoke", system=system, overrides=f"network.depth=1,{overrides}")


class Oracle(nn.Module):
    """A network whose embedding is an axis for each label, which it reads from the first channel."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, images):
        ids = images[:, 0].round().long().clamp(0, 2)
        embedding = nn.functional.one_hot(ids, 16).permute(0, 3, 1, 2).float()
        return NetworkOutput(foreground=images[:, :1], embedding=embedding, pyramid=(embedding[:, :, ::2, ::2],))


def test_affinities_of_a_network_that_knows_the_labels():
    tiles = affinity_pictures(Oracle(), image_of(), settings())["affinities"]
    assert tiles.table["in_column"].tolist() == ["labels or embedding", "range 1 px", "range 3 px", "range 9 px"] * 2
    truth, network = tiles.rows
    np.testing.assert_array_equal(truth[0], label_colours(LABELS))
    np.testing.assert_array_equal(network[0], embedding_colours(np.eye(16)[LABELS]))
    for true, ours in zip(truth[1:], network[1:], strict=True):
        np.testing.assert_array_equal(true, ours)
    means = tiles.table.dropna(subset=["mean_same"])
    assert means["mean_same"].tolist() == [1] * 6
    assert means["mean_different"].tolist() == [0] * 6


def test_true_affinities_are_black_where_a_label_ends_and_grey_without_a_partner():
    (_, near, *_), _ = affinity_pictures(Oracle(), image_of(), settings())["affinities"].rows
    grey = near[..., 0]
    assert grey[0, 0] == 128  # nothing above nor to the left
    assert (grey[0, 1:] == 255).all()  # one neighbour is enough
    assert grey[5].tolist() == [255, 255, 0, 255, 255, 255, 255, 255, 0, 255, 255, 255, 255, 255, 0, 255]


def test_the_second_view_comes_back():
    tiles = affinity_pictures(Oracle(), image_of(), settings(overrides="loss.view_cutout=false"))["views"]
    assert tiles.table["in_column"].tolist() == ["original", "second view", "second view, brought back"] * 3
    assert tiles.table["in_row"].drop_duplicates().tolist() == ["image", "embedding", "affinities, range 3 px"]
    (image, seen, back), *_ = tiles.rows
    assert not np.array_equal(image, back)  # in other light
    turns = [np.rot90(t, k) for t in (seen, seen[::-1]) for k in range(4)]
    assert [np.array_equal(turned, back) for turned in turns].count(True) == 1
    assert not np.array_equal(seen, back)


def test_affinities_between_views_of_a_network_that_knows_the_labels():
    alike = settings(overrides="loss.view_cutout=false,loss.view_intensity=false")
    tiles = affinity_pictures(Oracle(), image_of(), alike)["views"]
    image, embedding, affinities = tiles.rows
    for row in (image, embedding, affinities):
        np.testing.assert_array_equal(row[0], row[2])
        assert not np.array_equal(row[0], row[1])
    assert tiles.table["mean_cosine_with_original"].dropna().tolist() == [pytest.approx(1)]
    assert tiles.table["mean_same"].dropna().tolist() == [1] * 3


def test_the_pyramid_is_enlarged_to_the_size_of_the_image():
    tiles = affinity_pictures(Oracle(), image_of(), settings())["pyramid"]
    assert tiles.table["in_column"].tolist() == ["full size", "1/2"] * 3
    labels, *_ = tiles.rows
    np.testing.assert_array_equal(labels[0], label_colours(LABELS))
    half = label_colours(LABELS[1::2, 1::2])
    np.testing.assert_array_equal(labels[1], half.repeat(2, axis=0).repeat(2, axis=1))


def test_of_a_large_image_the_middle_square_that_the_network_takes():
    labels = np.zeros((17, 24), np.int32)
    labels[0], labels[:, 4:20] = 5, 1
    found = affinity_pictures(Oracle(), image_of(labels), settings())
    assert found["affinities"].rows[0][0].shape == (17, 24, 3)
    assert found["views"].rows[0][0].shape == found["pyramid"].rows[0][0].shape == (16, 16, 3)
    np.testing.assert_array_equal(found["pyramid"].rows[0][0], label_colours(labels[:16, 4:20]))


@pytest.mark.parametrize(
    ("system", "overrides", "names"),
    [
        ("pea", "", ["affinities", "views", "pyramid"]),
        ("pea", "network.name=resnet-50", ["affinities", "views", "pyramid"]),
        ("pea", "loss.cross_weight=0", ["affinities", "pyramid"]),
        ("pea", "loss.pyramid_weight=0", ["affinities", "views"]),
        ("affinity-learning", "", ["affinities"]),
        ("ml-de", "", ["affinities"]),
        ("wnet", "", []),
    ],
)
def test_a_run_keeps_what_its_network_has_learned_from(store, system, overrides, names):
    torch.manual_seed(0)
    chosen, run = settings(system, overrides), start_run(connect(), "run", "", {})
    log_affinity_pictures(run, build(3, chosen).eval(), [image_of(), image_of()], chosen)
    files = [item.path for item in store.list_artifacts(run.run_id, "affinity_pictures")]
    assert sorted(files) == sorted(f"affinity_pictures/{name}.{kind}" for name in names for kind in ("png", "csv"))
    for name in names:
        table = pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{run.run_id}/affinity_pictures/{name}.csv")))
        assert set(table["image"]) == {"a"}
        picture = np.asarray(mlflow.artifacts.load_image(f"runs:/{run.run_id}/affinity_pictures/{name}.png"))
        tiles = tiles_of(picture, table["row"].nunique(), table["column"].nunique())
        assert np.shape(tiles)[2:] == (16, 16, 3)


def test_the_features_before_predicted_affinities_stand_for_an_embedding():
    torch.manual_seed(0)
    chosen = settings("affinity-learning", "loss.ranges=1+3,clustering.ranges=1+3")
    network = build(3, chosen).eval()
    tiles = affinity_pictures(network, image_of(), chosen)["affinities"]
    assert tiles.table["in_column"].tolist() == ["labels or embedding", "range 1 px", "range 3 px"] * 2
    assert tiles.rows[1][0].std() > 10
    assert not network.affinity._forward_pre_hooks


def test_nothing_is_logged_of_no_images(store):
    run, chosen = start_run(connect(), "run", "", {}), settings()
    log_affinity_pictures(run, Oracle(), [], chosen)
    assert not store.list_artifacts(run.run_id, "affinity_pictures")
