"""What the tests of several losses share: an example, and reductions by loops."""

import torch


def example(seed=0, dims=3):
    torch.manual_seed(seed)
    embedding = torch.nn.functional.normalize(torch.randn(2, dims, 5, 6, dtype=torch.float64), dim=1)
    labels = torch.randint(0, 4, (2, 5, 6))
    labels[1][labels[1] == 2] = 0  # a gap in the ids
    neighbours = torch.zeros(2, 4, 4, dtype=torch.bool)
    for a, b in ((0, 1), (0, 2), (0, 3), (1, 2)):
        neighbours[:, a, b] = neighbours[:, b, a] = True
    return embedding, labels, neighbours


def one_hot(labels, dims):
    return torch.nn.functional.one_hot(labels, dims).permute(0, 3, 1, 2).double()


def naive_within(gaps, settings):
    """Within-instance term from object -> values of its pixels."""
    if settings.intra_reduction == "object":
        return sum(g.mean() for g in gaps.values()) / max(1, len(gaps))
    pixels = sum(len(g) for g in gaps.values())
    outside = len(gaps.get(0, ()))
    total = 0
    for c, values in gaps.items():
        weight = 1
        if settings.balance == "both" and 0 < outside < pixels:
            weight = pixels / 2 / (outside if c == 0 else pixels - outside)
        for value in values:
            total = total + weight * value
    return total / max(1, pixels)


def naive_between(value, present, table, settings):
    """Between-instance term from a function of two objects."""
    rows = []
    for a in present:
        near = [b for b in present if b != a and (settings.constraints == "global" or table[a, b])]
        rows.append([value(a, b) for b in near])
    if settings.inter_reduction == "object":
        return sum(sum(row) / max(1, len(row)) for row in rows) / max(1, len(present))
    return sum(map(sum, rows)) / max(1, sum(map(len, rows)))
