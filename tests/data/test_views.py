import itertools

import pytest
import torch

from study.data import views
from study.data.views import random_view

BOTH = pytest.mark.parametrize("shape", [(8, 8), (6, 10), (3, 8, 8), (3, 6, 10)], ids=str)


def draw(shape, batch=4, channels=2):
    rng = torch.Generator().manual_seed(0)
    images = torch.randn(batch, channels, *shape, generator=rng)
    return images, torch.randint(0, 5, (batch, *shape), generator=rng)


def view(images, labels, seed=0, turns=False, intensity=False, cutout=False):
    rng = torch.Generator().manual_seed(seed)
    return random_view(images, labels, rng, turns=turns, intensity=intensity, cutout=cutout)


@BOTH
def test_back_undoes_the_turns(shape):
    images, labels = draw(shape, batch=64)
    found = view(images, labels, turns=True)
    assert not torch.equal(found.images, images)
    torch.testing.assert_close(found.back(found.images), images, rtol=0, atol=0)
    assert torch.equal(found.back(found.labels.unsqueeze(1))[:, 0], labels)


@BOTH
def test_labels_turn_with_their_images(shape):
    _, labels = draw(shape, batch=16)
    found = view(labels.unsqueeze(1).float(), labels, turns=True)
    assert torch.equal(found.images[:, 0].long(), found.labels)


def test_all_turns_and_flips_are_drawn_of_a_square():
    image = torch.arange(4.0).view(1, 1, 2, 2)
    found = view(image.expand(200, -1, -1, -1), torch.zeros(200, 2, 2), turns=True).images[:, 0]
    quarter = [torch.rot90(image[0, 0], k) for k in range(4)]
    expected = {tuple(turned.flatten().tolist()) for turned in (*quarter, *(turned.flip(0) for turned in quarter))}
    assert {tuple(turned.flatten().tolist()) for turned in found} == expected
    assert len(expected) == 8


def test_only_flips_of_other_images():
    image = torch.arange(6.0).view(1, 1, 2, 3)
    found = view(image.expand(100, -1, -1, -1), torch.zeros(100, 2, 3), turns=True)
    expected = {
        tuple(image[0, 0].flip(axes).flatten().tolist()) for n in range(3) for axes in itertools.combinations((0, 1), n)
    }
    assert {tuple(flipped.flatten().tolist()) for flipped in found.images[:, 0]} == expected
    assert not found.swaps.any()


def test_planes_are_reversed_but_stay_whole():
    volume = torch.arange(3.0).view(1, 1, 3, 1, 1).expand(20, -1, -1, 4, 4)
    found = view(volume, torch.zeros(20, 3, 4, 4), turns=True)
    orders = {tuple(order.tolist()) for order in found.images[:, 0, :, 0, 0]}
    assert orders == {(0, 1, 2), (2, 1, 0)}
    assert torch.equal(found.images[:, 0], found.images[:, 0, :, :1, :1].expand(-1, -1, 4, 4))


def test_back_fits_coarser_maps():
    images, labels = draw((8, 8), batch=16)
    found = view(images, labels, turns=True)
    coarse = torch.nn.functional.avg_pool2d(found.images, 4)
    torch.testing.assert_close(found.back(coarse), torch.nn.functional.avg_pool2d(images, 4))


@BOTH
def test_back_passes_gradients(shape):
    images, labels = draw(shape, batch=8)
    found = view(images, labels, turns=True)
    maps, weights = torch.randn(2, *images.shape)
    maps.requires_grad_()
    (found.back(maps) * weights).sum().backward()
    torch.testing.assert_close(found.back(maps.grad), weights)


@BOTH
def test_intensity_keeps_the_range_and_the_order_of_values(shape):
    images, labels = draw(shape)
    found = view(images, labels, intensity=True)
    assert torch.equal(found.labels, labels)
    for before, after in zip(images.flatten(1), found.images.flatten(1), strict=True):
        assert not torch.allclose(before, after)
        assert before.min() - 1e-5 <= after.min() <= after.max() <= before.max() + 1e-5
        assert (after[before.argsort()].diff() >= -1e-5).all()


@pytest.mark.parametrize(
    ("light", "expected"),
    [
        ([0.5, 0.5, 0.5], [0.0, 0.25, 1.0]),
        ([0.0, 0.5, 0.5], [0.0, 0.2125, 0.85]),
        ([0.5, 1.0, 0.5], [0.15, 0.4, 1.0]),
        ([0.5, 0.0, 0.5], [0.0, 0.1, 0.85]),
        ([0.5, 0.5, 1.0], [0.0, 0.0625, 1.0]),
        ([0.5, 0.5, 0.0], [0.0, 0.5, 1.0]),
    ],
)
def test_contrast_brightness_and_gamma(light, expected):
    image = torch.tensor([[[[0.0, 0.25, 1.0]]]])
    for scale, shift in ((1, 0), (8, -3)):
        found = views._relit(scale * image + shift, torch.tensor([light]))
        torch.testing.assert_close(found, scale * torch.tensor([[[expected]]]) + shift)


def test_an_image_of_one_value_stays():
    images = torch.full((2, 1, 4, 4), 3.0)
    torch.testing.assert_close(view(images, images[:, 0].long(), intensity=True, cutout=True).images, images)


@pytest.mark.parametrize("shape", [(64, 48), (6, 32, 32)], ids=str)
def test_cutout_fills_boxes_with_the_mean(shape):
    images, labels = draw(shape)
    found = view(images, labels, cutout=True)
    changed = found.images != images
    mean = images.mean(tuple(range(2, images.ndim)), keepdim=True)
    torch.testing.assert_close(found.images[changed], mean.expand_as(images)[changed])
    assert torch.equal(changed[:, 0], changed[:, 1])
    assert torch.equal(found.labels, labels)
    # at least the smallest box, at most the largest one times their number
    share = changed[:, 0].flatten(1).double().mean(1)
    assert (share >= views.HOLE_SIDES[0] ** len(shape)).all()
    assert (share <= views.HOLES * (views.HOLE_SIDES[1] + 1 / min(shape)) ** len(shape)).all()
    assert len(share.unique()) > 1


def test_one_hole_is_a_box():
    draws = torch.tensor([[[0.0, 0.0], [0.999, 0.999]]])[:, None]  # smallest at the start, largest at the end
    found = views._holes(torch.Size((32, 30)), draws)
    expected = torch.zeros(1, 1, 32, 30, dtype=torch.bool)
    expected[..., :2, 25:] = True
    assert torch.equal(found, expected)


def test_switches_leave_the_other_draws_alone():
    images, labels = draw((8, 8))
    whole = view(images, labels, turns=True, intensity=True, cutout=True)
    turned = view(images, labels, turns=True)
    assert torch.equal(whole.labels, turned.labels)
    lit = view(images, labels, intensity=True)
    holes = view(lit.images, labels, cutout=True)
    torch.testing.assert_close(whole.back(whole.images), holes.images)


def test_nothing_switched_on_changes_nothing():
    images, labels = draw((8, 8))
    found = view(images, labels)
    assert torch.equal(found.images, images)
    assert torch.equal(found.labels, labels)
    assert torch.equal(found.back(images), images)


def test_the_generator_decides():
    images, labels = draw((8, 8))
    rng = torch.Generator().manual_seed(3)
    one, two = random_view(images, labels, rng), random_view(images, labels, rng)
    assert not torch.equal(one.images, two.images)
    again = random_view(images, labels, torch.Generator().manual_seed(3))
    assert torch.equal(one.images, again.images)
