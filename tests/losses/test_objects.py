import pytest
import torch

from study.losses.objects import object_sums, of_pixels


def test_object_sums():
    embedding = torch.arange(8.0).view(1, 2, 2, 2)
    sums, sizes = object_sums(embedding, torch.tensor([[[0, 2], [2, 2]]]), 3)
    assert sums.tolist() == [[[0, 4], [0, 0], [6, 18]]]
    assert sizes.tolist() == [[1, 0, 3]]


@pytest.mark.parametrize("index", [[0, 2, 2, 1], [1, 1, 1, 1]])
def test_rows_of_pixels_and_their_gradient(index):
    index = torch.tensor(index)
    table = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(of_pixels(table, index), table[index])
    assert torch.autograd.gradcheck(lambda t: of_pixels(t, index).square(), table)
