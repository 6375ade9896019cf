import re

import pytest

from study.errors import StudyError
from study.profiles import PROFILES, load_settings

SYSTEMS = ("pea", "affinity-learning")  # that take volumes


def load(overrides="", system="pea", profile="smoke", dataset="neurites"):
    return load_settings(dataset, profile=profile, system=system, overrides=overrides)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("dataset", ["neurites", "volume"])
def test_profiles_fit_volumes(system, profile, dataset):
    settings = load(system=system, profile=profile, dataset=dataset)
    assert (settings.dims, settings.kind, settings.embedding_metric) == (3, "volumes", "affinity")
    assert settings.with_(settings.flat()) == settings
    assert "foreground" not in settings.heads
    assert settings.loss.offsets(3)[0][-1][0] < 0  # across planes
    assert settings.map_channels == 1 + len(settings.loss.offsets(3)[0])


def test_settings_of_volumes_and_of_images():
    volumes, images = load().flat(), load(dataset="synthetic-leaves").flat()
    assert {"data.crop_planes", "data.planes", "data.side", "loss.axial", "clustering.axial"} <= set(volumes) - set(
        images
    )
    assert set(images) - set(volumes) == {"data.image_size", "loss.mask_weight"}


@pytest.mark.parametrize("depth", [1, 2])
def test_a_crop_holds_two_of_what_the_network_pools_into_a_voxel(depth):
    smallest = 2 * 2**depth
    ranges = "loss.ranges=1,clustering.ranges=1"
    assert load(f"network.depth={depth},data.crop_size={smallest},{ranges}").data.crop_size == smallest
    words = rf"setting data\.crop_size must be at least {smallest} \(2 to the network\.depth, twice\)"
    with pytest.raises(StudyError, match=words):
        load(f"network.depth={depth},data.crop_size={smallest // 2},{ranges}")
    with pytest.raises(StudyError, match=r"raise data\.crop_size"):  # whole volumes are no crops
        load(f"network.depth={depth},data.crop_size=0,{ranges}")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ("data.crop_size=17", "setting data.crop_size must be a multiple of 2 (2 to the network.depth), not 17"),
        ("data.image_size=48", "unknown setting 'data.image_size'"),
        ("data.crop_planes=1", "data.crop_planes must be at least 2"),
        ("data.planes=-1", "data.planes must be at least 0"),
        ("loss.ranges=1+9,clustering.ranges=1+9", "loss.ranges reaches 9, but at most half of data.crop_size, 8, is"),
        ("loss.axial=1+3,clustering.axial=1+3", "loss.axial reaches 3, but at most half of data.crop_planes, 2, is"),
        ("loss.axial=0+1", "setting loss.axial: ranges are ascending whole numbers from 1 on"),
        ("clustering.axial=1+1", "setting clustering.axial: ranges are ascending whole numbers"),
        ("clustering.ranges=1", "set clustering.ranges=1+3"),
        ("clustering.axial=1", "set clustering.axial=1+2"),
        ("clustering.neighbourhood=8", "set clustering.neighbourhood=4"),
        ("network.name=wnet", "network.name=wnet does not have: set network.name=residual or affinity"),
        ("network.name=wnet,loss.name=cosine", "set loss.name=affinity"),
        (
            "loss.name=cosine",
            "loss.name=cosine does not take the volumes of data.name=neurites: set loss.name=affinity",
        ),
        ("loss.name=discriminative", "loss.name=discriminative does not take the volumes"),
        *(
            (
                f"clustering.method={method}",
                f"clustering.method={method} does not take the volumes of data.name=neurites",
            )
            for method in ("angular", "growing", "mean-shift", "hdbscan", "mutex-watershed", "components")
        ),
    ],
)
def test_what_does_not_fit_volumes(overrides, words):
    with pytest.raises(StudyError, match=re.escape(words)) as error:
        load(overrides)
    sentence, *names = str(error.value).split("\n")
    assert not names or sentence.endswith(" Choose one of these:")


@pytest.mark.parametrize("method", ["affinity-watershed", "components-watershed"])
def test_clusterings_that_take_volumes(method):
    assert load(f"clustering.method={method}").clustering.method == method
    with pytest.raises(StudyError, match=r"choose .*affinity-watershed") as error:
        load("clustering.method=growing")
    assert method in str(error.value)


@pytest.mark.parametrize("system", ["wnet", "unet", "elc", "discriminative", "three-class", "ml-de"])
@pytest.mark.parametrize("profile", PROFILES)
def test_systems_that_take_images_alone(system, profile):
    with pytest.raises(StudyError, match=r"does not take the volumes of data\.name=neurites: set loss\.name=affinity"):
        load(system=system, profile=profile)


@pytest.mark.parametrize("name", ["data.crop_planes", "data.planes", "data.side", "loss.axial", "clustering.axial"])
def test_images_have_no_planes(name):
    with pytest.raises(StudyError, match=re.escape(name)):
        load(f"{name}=4", dataset="synthetic-leaves")
