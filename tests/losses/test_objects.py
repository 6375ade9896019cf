import torch

from study.losses.objects import object_sums, sum_rows


def test_object_sums():
    embedding = torch.arange(8.0).view(1, 2, 2, 2)
    sums, sizes = object_sums(embedding, torch.tensor([[[0, 2], [2, 2]]]), 3)
    assert sums.tolist() == [[[0, 4], [0, 0], [6, 18]]]
    assert sizes.tolist() == [[1, 0, 3]]


def test_object_sums_of_half_precision_are_in_float32():
    embedding = torch.full((1, 1, 1, 300), 1.0, dtype=torch.bfloat16)
    sums, sizes = object_sums(embedding, torch.zeros(1, 1, 300, dtype=torch.int64), 1)
    assert sums.dtype == sizes.dtype == torch.float32
    assert (sums.item(), sizes.item()) == (300, 300)  # bfloat16 has no 257


def test_weighted_sums_of_rows():
    rows = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    sums = sum_rows(rows, torch.tensor([2, 0, 2]), 3, torch.tensor([1.0, 10.0, 100.0]))
    assert sums.tolist() == [[30, 40], [0, 0], [501, 602]]
