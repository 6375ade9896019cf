from itertools import combinations

import pytest
import torch
from torch import nn

from study.networks import CONCAT_LAYERS, centre_embeddings
from study.networks.unet import DistanceHead, with_coordinates
from study.profiles import load_settings
from study.settings import Settings
from tests.networks.built import build

SMALL = {"network.base_width": 4, "network.depth": 2, "network.embedding_dim": 3}


def settings(**more):
    return Settings().with_(SMALL | {name.replace("__", "."): value for name, value in more.items()})


def with_layer(layer, **more):
    return settings(network__name=CONCAT_LAYERS[layer], network__concat_layer=layer, **more)


@pytest.mark.parametrize("layer", CONCAT_LAYERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_row_of_table_1_gives_a_distance_map_and_unit_embeddings(layer, channels):
    torch.manual_seed(0)
    network = build(channels, with_layer(layer, network__base_width=16)).eval()
    maps = network(torch.randn(2, channels, 16, 12))
    assert maps.distance.shape == (2, 1, 16, 12)
    assert maps.embedding.shape == (2, 3, 16, 12)
    assert maps.distance.min() >= 0
    torch.testing.assert_close(maps.embedding.norm(dim=1), torch.ones(2, 16, 12))
    assert (maps.aux_embedding is not None) == ("efeat" in layer)


@pytest.mark.parametrize("layer", CONCAT_LAYERS)
def test_every_weight_gets_a_gradient(layer):
    torch.manual_seed(0)
    network = build(3, with_layer(layer, network__dropout=0))
    maps = network(torch.randn(2, 3, 16, 16))
    loss = maps.distance.mean() + (maps.embedding * torch.randn_like(maps.embedding)).sum()
    if maps.aux_embedding is not None:
        loss = loss + (maps.aux_embedding * torch.randn_like(maps.aux_embedding)).sum()
    loss.backward()
    without = [name for name, weight in network.named_parameters() if weight.grad is None]
    assert not without


@pytest.mark.parametrize(("layer", "width"), [("distmap", 1), ("dfeat.8", 8), ("dfeat.16+efeat.16", 32)])
def test_width_of_the_concatenative_layer(layer, width):
    network = build(3, with_layer(layer))
    assert network.second.encoder.blocks[0][0].in_channels == 3 + width


def test_stop_gradient_and_aux_loss():
    stopped = build(3, settings(network__stop_gradient=True, network__dropout=0))
    maps = stopped(torch.randn(1, 3, 16, 16))
    (maps.embedding * torch.randn_like(maps.embedding)).sum().backward()
    assert all(weight.grad is None for weight in stopped.first.parameters())
    assert build(3, settings(network__aux_embedding=True)).aux_embedding is not None


def test_a_net_of_two_tasks_has_a_decoder_for_each():
    shared = build(3, with_layer("none"))
    separate = build(3, with_layer("none", network__decoders="separate"))
    assert (len(shared.branches.decoders), len(separate.branches.decoders)) == (1, 2)
    for layer, decoders in (("dfeat.32", 1), ("efeat.32", 2), ("dfeat.16+efeat.16", 2)):
        wnet = build(3, with_layer(layer))
        assert (len(wnet.first.decoders), len(wnet.second.decoders)) == (decoders, 1)
    assert len(build(3, settings(network__aux_embedding=True)).first.decoders) == 2


def from_equal_weights(layer):
    """Maps of a row of Table 1, the directions of what is forwarded, and the gradient of each weight by name.

    All weights come from those of one network that has all parts, the concatenative layer's by output channels.
    """
    torch.manual_seed(1)
    full = build(3, with_layer("efeat.32", network__dropout=0, network__base_width=8)).state_dict()
    network = build(3, with_layer(layer, network__dropout=0, network__base_width=8))
    own, taken = network.state_dict(), 0
    for name, weight in own.items():
        source = (
            full[name.replace("branches.", "first.")] if "convs" not in name else full[f"concat.convs.0.{name[15:]}"]
        )
        if "convs" in name:
            source = source[taken : taken + len(weight)]
            taken += len(weight) * name.endswith("bias")
        own[name] = source.repeat(1, 2, 1, 1)[:, : weight.shape[1]] if weight.ndim == 4 else source
        assert own[name].shape == weight.shape, name
    network.load_state_dict(own)
    forwarded = []
    if hasattr(network, "concat"):
        network.concat.register_forward_hook(lambda *given: forwarded.append(given[2].detach()))
    maps = network(torch.linspace(-2, 2, 3 * 16 * 16).sin().view(1, 3, 16, 16))
    loss = maps.distance.square().mean() + maps.embedding[:, 0].mean()
    if maps.aux_embedding is not None:
        loss = loss + maps.aux_embedding[:, 0].mean()
    loss.backward()
    gradients = {name: weight.grad for name, weight in network.named_parameters()}
    directions = torch.nn.functional.normalize(forwarded[0], dim=1) if forwarded else None
    return maps, directions, gradients


def test_no_two_rows_of_table_1_are_one_network():
    found = {layer: from_equal_weights(layer) for layer in CONCAT_LAYERS}
    for (maps, directions, gradients), (others, other_directions, other_gradients) in combinations(found.values(), 2):
        assert not torch.allclose(maps.embedding, others.embedding, atol=1e-3)
        alike = [n for n in gradients.keys() & other_gradients.keys() if gradients[n].shape == other_gradients[n].shape]
        assert any(not torch.allclose(gradients[n], other_gradients[n], atol=1e-4) for n in alike)
        # not the same features in other groups of the normalisation either
        if directions is not None and other_directions is not None and directions.shape == other_directions.shape:
            assert not torch.allclose(directions, other_directions, atol=1e-2)


@pytest.mark.parametrize(("layer", "decoders"), [("dfeat.32", {0}), ("efeat.32", {1}), ("dfeat.16+efeat.16", {0, 1})])
def test_the_second_net_trains_the_decoders_whose_features_it_has(layer, decoders):
    torch.manual_seed(0)
    network = build(3, with_layer(layer, network__dropout=0))
    network(torch.randn(1, 3, 16, 16)).embedding[:, 0].sum().backward()
    grads = [next(decoder.parameters()).grad for decoder in network.first.decoders]
    assert {number for number, grad in enumerate(grads) if grad is not None} == decoders


def test_the_papers_sizes():
    network = build(3, Settings())
    widths = [block[0].out_channels for block in network.first.encoder.blocks]
    assert widths == [32, 64, 128, 256, 512]
    assert not [m for m in network.modules() if isinstance(m, nn.BatchNorm2d | nn.GroupNorm)]
    drops = [m.p for m in network.modules() if isinstance(m, nn.Dropout)]
    assert drops == [0.5] * 4


def test_he_normal_weights():
    torch.manual_seed(0)
    network = build(3, Settings())
    weight = network.first.encoder.blocks[3][2].weight
    assert weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)


def test_norm_layers():
    kinds = {"batch": nn.BatchNorm2d, "group": nn.GroupNorm}
    for norm, kind in kinds.items():
        assert any(isinstance(m, kind) for m in build(1, settings(network__norm=norm)).modules())


def test_coordinates_run_from_minus_one_to_one():
    images = with_coordinates(torch.zeros(2, 1, 3, 5))
    assert images.shape == (2, 3, 3, 5)
    assert images[0, 1, :, 0].tolist() == [-1, 0, 1]
    assert images[1, 2, 0].tolist() == [-1, -0.5, 0, 0.5, 1]


def test_centred_embeddings_start_spread_over_the_sphere():
    spread = []
    for seed in range(5):
        torch.manual_seed(seed)
        images = torch.randn(4, 3, 32, 32)
        network = build(3, settings(network__dropout=0, network__base_width=8, network__embedding_dim=8))
        before = network(images).embedding.mean((0, 2, 3)).norm()
        centre_embeddings(network, images)
        after = network(images).embedding.mean((0, 2, 3)).norm()
        spread.append((before.item(), after.item()))
    assert all(before > 0.8 for before, _ in spread)  # near the saddle: all pixels in one direction
    assert all(after < 0.3 for _, after in spread)


def test_a_leaky_gradient_revives_a_head_that_gives_zero():
    for leaky, alive in ((True, True), (False, False)):
        torch.manual_seed(0)
        head = DistanceHead(settings(network__dropout=0, network__leaky_distance_gradient=leaky).network)
        nn.init.constant_(head.conv.bias, -50.0)
        features, target = torch.rand(1, 4, 8, 8), torch.rand(1, 1, 8, 8)
        optimizer = torch.optim.Adam(head.parameters(), lr=1.0)
        for _ in range(100):
            optimizer.zero_grad()
            ((head(features) - target) ** 2).mean().backward()
            optimizer.step()
        assert bool(head(features).max() > 0) == alive


def test_leaky_gradient_leaves_the_output_alone():
    torch.manual_seed(0)
    head = DistanceHead(settings(network__leaky_distance_gradient=True, network__dropout=0).network)
    features = torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(head(features), head.eval()(features))
    assert head(features).min() == 0


def test_heads_of_more_layers():
    one, two = (build(3, with_layer("none", network__head_layers=n)) for n in (1, 2))
    for name in ("distance", "embedding"):
        convs = [[m.kernel_size for m in getattr(n, name).modules() if isinstance(m, nn.Conv2d)] for n in (one, two)]
        assert convs == [[(1, 1)], [(3, 3), (1, 1)]]


def test_the_discriminative_loss_gets_embeddings_of_any_length():
    torch.manual_seed(0)
    given = {"loss__name": "discriminative", "clustering__method": "mean-shift"}
    for layer in ("none", "efeat.32"):
        maps = build(1, with_layer(layer, **given))(torch.randn(1, 1, 16, 16))
        for embedding in (maps.embedding, *([maps.aux_embedding] if layer == "efeat.32" else [])):
            assert embedding.norm(dim=1).std() > 0.01


def three_class(**more):
    small = {"network.base_width": 4, "network.depth": 2, "network.name": "three-class", "loss.name": "classes"}
    small["clustering.method"] = "components"
    return Settings().with_(small | {name.replace("__", "."): value for name, value in more.items()})


def test_three_class_network():
    torch.manual_seed(0)
    network = build(3, three_class(network__dropout=0)).eval()
    maps = network(torch.randn(2, 3, 16, 12))
    assert maps.classes.shape == (2, 3, 16, 12)
    assert maps.embedding is None
    share = maps.maps("none")["object_share"]
    # background, object, contour: above a half where the object is likeliest
    assert torch.equal(share[:, 0] > 0.5, maps.classes.argmax(1) == 1)
    probability = maps.classes.softmax(1)
    others = torch.maximum(probability[:, 0], probability[:, 2])
    torch.testing.assert_close(share[:, 0], probability[:, 1] / (probability[:, 1] + others))
    maps.classes.sum().backward()
    assert not [name for name, weight in network.named_parameters() if weight.grad is None]


def residual(name, **more):
    flat = load_settings(profile="smoke", system={"residual": "pea", "affinity": "affinity-learning"}[name]).flat()
    return Settings().with_(flat | {key.replace("__", "."): value for key, value in more.items()})


def test_pixel_embedded_affinity():
    torch.manual_seed(0)
    network = build(3, residual("residual", network__depth=3, network__base_width=16))
    maps = network(torch.randn(2, 3, 32, 24))
    assert maps.embedding.shape == (2, 16, 32, 24)
    assert [tuple(e.shape[2:]) for e in maps.pyramid] == [(16, 12), (8, 6), (4, 3)]
    torch.testing.assert_close(maps.embedding.norm(dim=1), torch.ones(2, 32, 24))
    torch.testing.assert_close(maps.maps("angle")["foreground"], maps.foreground.sigmoid())
    (maps.foreground.sum() + sum((e * torch.randn_like(e)).sum() for e in (maps.embedding, *maps.pyramid))).backward()
    assert not [name for name, weight in network.named_parameters() if weight.grad is None]


def test_the_papers_pixel_embedded_affinity_has_4_7_million_parameters():
    network = build(3, load_settings(profile="full", system="pea"))
    parameters = sum(weight.numel() for name, weight in network.named_parameters() if "mask" not in name)
    assert parameters == pytest.approx(4.7e6, rel=0.01)


def test_the_same_backbone_with_the_discriminative_loss():
    torch.manual_seed(0)
    maps = build(1, load_settings(profile="smoke", system="ml-de"))(torch.randn(2, 1, 16, 16))
    assert maps.embedding.norm(dim=1).std() > 0.01


@pytest.mark.parametrize(("ranges", "neighbourhood", "channels"), [("1+3+9", 4, 6), ("1+2", 8, 8)])
def test_affinities_in_place_of_an_embedding(ranges, neighbourhood, channels):
    given = {"ranges": ranges, "neighbourhood": neighbourhood}
    changes = {f"loss__{k}": v for k, v in given.items()} | {f"clustering__{k}": v for k, v in given.items()}
    maps = build(1, residual("affinity", **changes))(torch.randn(2, 1, 16, 16))
    assert maps.affinities.shape == (2, channels, 16, 16)
    assert 0 <= maps.affinities.min() <= maps.affinities.max() <= 1
    assert not maps.pyramid
