import numpy as np
import pytest
import torch
from skimage.segmentation import find_boundaries

from study.losses.three_class import class_loss, contour_classes


def test_contour_of_touching_objects_at_the_border():
    labels = torch.tensor(
        [[[1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2], [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]]
    )
    assert contour_classes(labels)[0].tolist() == [
        [1, 1, 2, 2, 1, 1],
        [1, 1, 2, 2, 1, 1],
        [2, 2, 2, 2, 2, 2],
        [2, 2, 2, 2, 2, 2],
        [0, 0, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize("seed", range(5))
def test_contours_are_thick_boundaries(seed):
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 4, (2, 3, 4)), np.ones((1, 4, 3), int))
    found = contour_classes(torch.from_numpy(labels)).numpy()
    for classes, ids in zip(found, labels, strict=True):
        boundary = find_boundaries(ids, mode="thick")
        np.testing.assert_array_equal(classes, np.where(boundary, 2, ids > 0))


@pytest.mark.parametrize("value", [0, 3])
def test_one_label_has_no_contour(value):
    assert (contour_classes(torch.full((1, 4, 5), value)) == (value > 0)).all()
    assert not contour_classes(torch.zeros(1, 1, 1, dtype=torch.int64)).any()


def naive(classes, labels, balanced):
    target, log = contour_classes(labels), classes.log_softmax(1)
    losses = {k: [] for k in range(3)}
    for b, i, j in np.ndindex(*target.shape):
        k = int(target[b, i, j])
        losses[k].append(-log[b, k, i, j])
    if not balanced:
        return sum(sum(values) for values in losses.values()) / target.numel()
    means = [sum(values) / len(values) for values in losses.values() if values]
    return sum(means) / len(means)


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("block", [np.array([[[0, 1], [2, 2]]]), np.zeros((1, 2, 2), int), np.ones((1, 2, 2), int)])
def test_equals_a_loop_over_pixels(balanced, block):
    torch.manual_seed(0)
    labels = torch.from_numpy(np.kron(block, np.ones((1, 4, 4), int)))
    classes = torch.randn(1, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(class_loss(classes, labels, balanced=balanced), naive(classes, labels, balanced))
    assert torch.autograd.gradcheck(lambda c: class_loss(c, labels, balanced=balanced), classes.requires_grad_())


def test_certain_and_undecided_classes():
    labels = torch.zeros(1, 8, 8, dtype=torch.int64)
    labels[:, 2:6, 2:6] = 1
    certain = 50 * torch.nn.functional.one_hot(contour_classes(labels), 3).permute(0, 3, 1, 2).double()
    assert class_loss(certain, labels, balanced=False) < 1e-9
    undecided = class_loss(torch.zeros(1, 3, 8, 8), labels, balanced=True)
    assert undecided.item() == pytest.approx(np.log(3))
