import numpy as np
import pytest

from study.config import is_number
from study.figures.names import setting_label, value_label, variant_label


@pytest.mark.parametrize(
    ("name", "value", "label"),
    [
        ("network.name", "unet", "U-Net"),
        ("network.name", "other", "other"),
        ("network.concat_layer", "coordinate", "coordinate (U-Net)"),
        ("network.concat_layer", "dfeat.8", "dfeat.8"),
        ("loss.inter_weight", 0.5, "λ = 0.5"),
        ("loss.inter_weight", np.float64(500), "λ = 500"),
        ("loss.inter_weight", "only", "λ = only"),
        ("network.embedding_dim", np.int64(64), "64 dimensions"),
        ("loss.constraints", "local", "local constraints"),
        ("network.depth", 4, "depth 4"),
        ("network.stop_gradient", True, "stop_gradient True"),
    ],
)
def test_values_are_written_in_words(name, value, label):
    assert value_label(name, value) == label


def test_variants_and_axes():
    assert variant_label({"clustering.method": "hdbscan", "network.name": "wnet"}) == "hdbscan, W-Net"
    assert "λ" in setting_label("loss.inter_weight")
    assert setting_label("network.depth") == "network.depth"


@pytest.mark.parametrize(
    ("value", "whether"), [(1, True), (0.5, True), (np.int64(3), True), (True, False), ("1", False)]
)
def test_what_has_a_size(value, whether):
    assert is_number(value) == whether
