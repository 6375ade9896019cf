import pandas as pd
import pytest

from reports.pages.wnet_cells import WnetCells
from study.tracking import stored_scores


@pytest.fixture
def own(made):
    return WnetCells(made.store, made.cells.id, str(made.folder))


def test_the_printed_values_stand_in_columns_of_their_own(own, made, tables_of):
    text = own.table().html
    frame = pd.read_csv(made.folder / "cells.csv").set_index("network.name")
    for network, printed in (("unet", [0.896, 0.577]), ("wnet", [0.915, 0.664])):
        runs = [made.cells.children[network, seed] for seed in (0, 1)]
        scores = pd.concat([stored_scores(run, "test").table for run in runs])
        assert frame.loc[network, ["sbd", "map"]].tolist() == pytest.approx(scores[["sbd", "map"]].mean().tolist())
        assert frame.filter(like="printed_").loc[network].tolist()[:2] == printed
    (columns,) = tables_of(text)
    assert [cells for cells in columns if "0.896" in cells] == [["0.896", "0.915"]]
    assert not any("minus_printed" in name for name in frame)  # of other images
    assert "377 images of BBBC006, which the paper does not list" in text


def test_what_both_networks_merge_and_miss(own, made, tables_of):
    text = own.figure_8().html
    data = pd.read_csv(made.folder / "figure_8.csv")
    assert data["variant"].tolist() == ["U-Net", "W-Net"] * 2
    assert data["merged"].tolist() == [2, 0] * 2
    first = data[data["variant"] == "U-Net"]
    assert first["sbd"].is_monotonic_increasing  # among images with as many mistakes
    assert "Of 3 test images that the runs keep labels of, the 2 in which the U-Net merges and misses most" in text
    assert tables_of(text) == [[["U-Net", "W-Net"], ["9", "9"], ["6", "0"], ["0", "0"], ["0", "0"]]]
    assert pd.read_csv(made.folder / "mistakes.csv")["merged"].tolist() == [6, 0]
    assert (made.folder / "figure_8.pdf").read_bytes().startswith(b"%PDF")


def test_precision_by_overlap(own, made):
    own.precision()
    curves = pd.read_csv(made.folder / "figure_8_precision.csv")
    assert curves["network"].tolist() == ["unet"] * 9 + ["wnet"] * 9
