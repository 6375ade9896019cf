import zipfile
from pathlib import Path

import pytest
import torch

import study
from study.deploy.program import save_program
from study.settings import Settings
from tests.networks.built import build


@pytest.mark.parametrize(
    "settings",
    [
        {"network.name": "unet", "network.concat_layer": "coordinate", "network.decoders": "separate"},
        {"network.concat_layer": "dfeat.16+efeat.16", "network.norm": "group", "network.aux_embedding": True},
    ],
    ids=["unet", "wnet"],
)
def test_the_program_takes_images_of_any_size_and_number(tmp_path, settings):
    small = {"network.base_width": 4, "network.depth": 2, "network.embedding_dim": 3, "network.dropout": 0.5}
    settings = Settings().with_(small | settings)
    network = build(1, settings).eval()
    save_program(tmp_path / "p.pt2", network, settings, 1)
    program = torch.export.load(tmp_path / "p.pt2").module()
    for shape in ((1, 1, 16, 16), (3, 1, 8, 20), (2, 1, 36, 12)):
        images = torch.randn(shape)
        with torch.no_grad():
            maps = network(images)
        torch.testing.assert_close(program(images), torch.cat([maps.distance, maps.embedding], dim=1))


def test_saving_leaves_the_network_as_it_is(tmp_path):
    settings = Settings().with_({"network.base_width": 2, "network.depth": 1})
    network = build(1, settings)
    frozen = next(iter(network.children())).eval()
    before = {name: (id(weight), weight.data_ptr()) for name, weight in network.named_parameters()}
    save_program(tmp_path / "p.pt2", network, settings, 1)
    assert network.training
    assert not frozen.training
    assert {name: (id(weight), weight.data_ptr()) for name, weight in network.named_parameters()} == before


def test_no_place_of_this_machine_is_in_the_file(tmp_path):
    settings = Settings().with_({"network.base_width": 2, "network.depth": 1})
    save_program(tmp_path / "p.pt2", build(1, settings), settings, 1)
    with zipfile.ZipFile(tmp_path / "p.pt2") as archive:
        content = [archive.read(name) for name in archive.namelist()]
    assert any(b"torch.ops.aten.conv2d" in part for part in content)  # it can be read here
    for place in (Path(study.__file__).parents[1], Path(torch.__file__).parent):
        assert not any(str(place).encode() in part for part in content)
