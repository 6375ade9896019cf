import pytest
import torch
from torch import nn

from study.networks.residual import WIDTHS, ResidualUNet

SMALL = {"widths": (4, 6, 8), "embedding_dim": 3}
BOTH = pytest.mark.parametrize(("dims", "planes"), [(2, ()), (3, (3,))], ids=["2-D", "3-D"])


def embeddings_of(output):
    return () if output.embedding is None else (output.embedding, *output.pyramid)


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


def test_the_papers_size():
    network = ResidualUNet(3)
    assert WIDTHS == (16, 32, 64, 128, 256)
    convolutions = 9 * (3 * 16 + 2 * (16 * 32 + 32 * 64 + 64 * 128 + 128 * 256))  # one into each level on either path
    convolutions += 9 * 4 * (256**2 + 2 * sum(width**2 for width in (16, 32, 64, 128)))  # two residual blocks each
    norms = 5 * 2 * (256 + 2 * (16 + 32 + 64 + 128))
    heads = sum(16 * width + 16 for width in WIDTHS)
    assert parameters(network) == convolutions + norms + heads == 4_725_184


@BOTH
def test_an_embedding_at_every_scale(dims, planes):
    network = ResidualUNet(2, dims=dims, **SMALL)
    maps = network(torch.randn(2, 2, *planes, 16, 12))
    sizes = [(2, 3, *planes, 16 // 2**k, 12 // 2**k) for k in range(3)]
    assert [embedding.shape for embedding in embeddings_of(maps)] == sizes
    assert maps.affinities is None
    assert maps.foreground is None


@BOTH
def test_unit_vectors_on_demand(dims, planes):
    torch.manual_seed(0)
    plain, unit = (ResidualUNet(1, dims=dims, unit=unit, **SMALL) for unit in (False, True))
    unit.load_state_dict(plain.state_dict())
    images = torch.randn(1, 1, *planes, 8, 8)
    for own, scaled in zip(embeddings_of(plain(images)), embeddings_of(unit(images)), strict=True):
        torch.testing.assert_close(scaled, nn.functional.normalize(own, dim=1))
        assert (own.norm(dim=1) - 1).abs().max() > 0.01


@BOTH
def test_affinity_and_foreground_heads(dims, planes):
    network = ResidualUNet(1, dims=dims, affinity_channels=10, foreground_head=True, **SMALL)
    maps = network(torch.randn(2, 1, *planes, 8, 12))
    assert embeddings_of(maps) == ()
    assert maps.affinities.shape == (2, 10, *planes, 8, 12)
    assert 0 < maps.affinities.min() < maps.affinities.max() < 1
    assert maps.foreground.shape == (2, 1, *planes, 8, 12)
    assert maps.foreground.min() < 0 < maps.foreground.max()  # logits


@BOTH
@pytest.mark.parametrize("heads", [{"foreground_head": True}, {"affinity_channels": 4}])
def test_every_weight_gets_a_gradient(dims, planes, heads):
    torch.manual_seed(0)
    network = ResidualUNet(1, dims=dims, **heads, **SMALL)
    maps = network(torch.randn(2, 1, *planes, 16, 16))
    heads = (maps.foreground, maps.affinities)
    outputs = [*embeddings_of(maps), *(head for head in heads if head is not None)]
    sum((output * torch.randn_like(output)).sum() for output in outputs).backward()
    assert not [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]


@BOTH
def test_any_size_fits(dims, planes):
    maps = ResidualUNet(1, dims=dims, **SMALL)(torch.randn(1, 1, *planes, 13, 10))
    assert [embedding.shape[-2:] for embedding in embeddings_of(maps)] == [(13, 10), (6, 5), (3, 2)]


def test_kernels_of_volumes():
    network = ResidualUNet(1, dims=3, **SMALL)
    kernels = [module.kernel_size for module in network.modules() if isinstance(module, nn.Conv3d)]
    assert set(kernels) == {(1, 1, 1), (1, 3, 3), (3, 3, 3)}
    blocks = network.up[0].blocks[0].layers
    assert (blocks[0][0].kernel_size, blocks[1].kernel_size) == ((1, 3, 3), (3, 3, 3))
    assert network.down[0][0][0].kernel_size == network.up[0].up[0].kernel_size == (1, 3, 3)


def test_planes_are_seen_as_far_as_the_kernels_reach():
    network = ResidualUNet(1, dims=3, widths=(2, 2), embedding_dim=1).eval()
    images = torch.zeros(1, 1, 30, 4, 4, requires_grad=True)
    network(images + 1).embedding[0, 0, 15].sum().backward()
    reached = images.grad.abs().amax((0, 1, 3, 4)).nonzero().flatten()
    assert 15 - 6 <= reached.min() <= reached.max() <= 15 + 6  # three levels of two blocks, one plane each way in each
    assert len(reached) > 5


def test_he_normal_weights():
    torch.manual_seed(0)
    network = ResidualUNet(3)
    weight = network.down[4][1][0].layers[0][0].weight
    assert weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)
    assert not network.embedding[0].bias.any()


@pytest.mark.parametrize(("bad", "message"), [({"dims": 4}, "dims must be 2 or 3")])
def test_refuses(bad, message):
    with pytest.raises(ValueError, match=message):
        ResidualUNet(1, **bad)
