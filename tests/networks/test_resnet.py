import pytest
import torch
from torch import nn

from study.errors import StudyError
from study.networks.resnet import ResNet50, ResNet101, ResNetEncoder
from study.profiles import load_settings
from tests.networks.built import build

KEYS = ("resnet-50", "resnet-101")
BLOCKS = {"resnet-50": (3, 4, 6), "resnet-101": (3, 4, 23)}


def settings(key, profile="full", **more):
    return load_settings(profile=profile, system="pea", changes={"network.name": key} | more)


def small(key="resnet-50", depth=4):
    return settings(key, "smoke", **{"network.depth": depth, "network.base_width": 16})


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize("key", KEYS)
def test_the_encoder_has_the_parameters_of_its_paper(key):
    """Convolutions without bias, each with scale and shift of a batch normalisation, counted from the printed table."""
    count, before = 3 * 64 * 49 + 2 * 64, 64
    for narrow, blocks in zip((64, 128, 256), BLOCKS[key], strict=True):
        width = 4 * narrow
        block = narrow * narrow * 9 + narrow * width + 2 * (2 * narrow + width)  # but for its first convolution
        count += blocks * block + before * narrow + (blocks - 1) * width * narrow
        count += before * width + 2 * width  # the projection of the first block
        before = width
    network = build(3, settings(key))
    assert parameters(network.encoder) == count == {"resnet-50": 8_543_296, "resnet-101": 27_535_424}[key]


@pytest.mark.parametrize(("key", "printed"), [("resnet-50", 15.3e6), ("resnet-101", 34.3e6)])
def test_the_network_has_the_parameters_that_huang_et_al_print(key, printed):
    network = build(3, settings(key))
    assert parameters(network) - parameters(network.mask) == pytest.approx(printed, rel=0.005)


def test_the_features_of_the_encoder():
    encoder = build(3, settings("resnet-50")).encoder
    shapes = [tuple(features.shape) for features in encoder(torch.randn(2, 3, 64, 32))]
    assert shapes == [(2, 64, 32, 16), (2, 256, 16, 8), (2, 512, 8, 4), (2, 1024, 4, 2)]


def test_strides_stand_in_the_3_by_3_convolutions_and_the_projections():
    encoder = ResNetEncoder(1, (2, 8, 16), (2, 2))
    strided = [m.kernel_size for m in encoder.modules() if isinstance(m, nn.Conv2d) and m.stride == (2, 2)]
    assert strided == [(7, 7), (3, 3), (1, 1)]  # the first stage follows the pooling


@pytest.mark.parametrize("key", KEYS)
def test_an_embedding_at_every_scale(key):
    torch.manual_seed(0)
    maps = build(3, small(key)).eval()(torch.randn(2, 3, 32, 48))
    assert maps.foreground.shape == (2, 1, 32, 48)
    assert [tuple(e.shape) for e in (maps.embedding, *maps.pyramid)] == [(2, 16, 32 >> k, 48 >> k) for k in range(5)]
    for embedding in (maps.embedding, *maps.pyramid):
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(embedding[:, 0].shape))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_less_depth_leaves_out_the_last_stages(depth):
    network = build(3, small(depth=depth))
    assert [len(stage) for stage in network.encoder.stages] == [3, 4, 6][: depth - 1]
    assert len(network(torch.randn(2, 3, 16, 16)).pyramid) == depth


def test_every_weight_gets_a_gradient():
    torch.manual_seed(0)
    network = build(3, small())
    maps = network(torch.randn(2, 3, 32, 32))
    outputs = (maps.foreground, maps.embedding, *maps.pyramid)
    sum((output * torch.randn_like(output)).sum() for output in outputs).backward()
    assert not [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]


def test_he_normal_weights():
    torch.manual_seed(0)
    weight = build(3, settings("resnet-50")).encoder.stages[2][0].layers[1][0].weight
    assert weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)


def test_images_only_and_no_more_than_four_poolings():
    assert ResNet50.dims == ResNet101.dims == (2,)
    with pytest.raises(StudyError, match=r"network\.depth"):
        settings("resnet-50", **{"network.depth": 5})
