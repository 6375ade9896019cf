import pytest

from study.em.settings import PROFILES, VolumeSettings, load_volume_settings
from study.errors import StudyError


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_are_sound(profile):
    settings = load_volume_settings(profile=profile)
    assert settings.data.name == "neurites"
    assert VolumeSettings().with_(settings.flat()) == settings
    assert len(settings.offsets) == settings.network.depth + 1


def test_the_paper_is_where_settings_start():
    assert load_volume_settings("volume", profile="full") == VolumeSettings()


def test_dotted_names_and_texts():
    settings = load_volume_settings(overrides="network.depth=2, loss.ranges=1+5,loss.balance=false").with_({"seed": 3})
    assert (settings.network.depth, settings.loss.balance, settings.seed) == (2, False, 3)
    assert settings.flat()["loss.ranges"] == "1+5"
    assert settings.crop == (8, 64, 64)


def test_offsets_of_a_volume():
    settings = VolumeSettings().with_({"loss.ranges": "1+3", "loss.axial": "1+2", "network.depth": 1})
    axial = ((-1, 0, 0), (-2, 0, 0))
    in_plane = ((0, -1, 0), (0, 0, -1), (0, -3, 0), (0, 0, -3))
    assert settings.offsets == ((*in_plane, *axial), (*in_plane, *axial))


def test_the_digest_knows_neither_the_folder_nor_the_device():
    settings = VolumeSettings()
    same = {"data.root": "/somewhere", "training.device": "cpu", "training.threads": 2}
    assert settings.with_(same).digest("data") == settings.digest("data")
    for other in ({"seed": 1}, {"loss.axial": "1"}, {"clustering.stride": 1}):
        assert settings.with_(other).digest("data") != settings.digest("data")
    assert settings.digest("other data") != settings.digest("data")


def test_the_digest_of_some_groups():
    settings, groups = VolumeSettings(), ("data", "training")
    for other in ({"loss.axial": "1"}, {"clustering.stride": 1}):
        assert settings.with_(other).digest(groups=groups) == settings.digest(groups=groups)
    for other in ({"seed": 1}, {"training.steps": 3}):
        assert settings.with_(other).digest(groups=groups) != settings.digest(groups=groups)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss.range": "1"}, "unknown setting 'loss.range': choose one of loss.ranges"),
        ({"loss": "1"}, "unknown setting 'loss'"),
        ({"training.steps": "0"}, "training.steps must be at least 1"),
        ({"training.schedule": "staircase"}, "unknown value of training.schedule 'staircase'"),
        ({"loss.ranges": "1,3"}, "loss.ranges must be different whole numbers"),
        ({"loss.ranges": "3+5"}, "1 among them"),
        ({"loss.axial": "1+1"}, "loss.axial must be different whole numbers"),
        ({"loss.axial": "0+1"}, "loss.axial must be different whole numbers"),
        ({"loss.axial": ""}, "loss.axial must be different whole numbers"),
        ({"loss.axial": "1+10"}, "loss.axial reaches 10, but at most half a crop, 9, is allowed"),
        ({"data.crop_side": "48"}, "loss.ranges reaches 27, but at most half a crop, 24"),
        ({"data.crop_side": "72"}, "data.crop_side must be a multiple of 16"),
    ],
)
def test_settings_that_do_not_fit(changes, words):
    with pytest.raises(StudyError) as error:
        VolumeSettings().with_(changes)
    assert words in str(error.value)


def test_an_unknown_profile():
    with pytest.raises(StudyError, match="unknown profile 'fast': choose one of full, quick, smoke"):
        load_volume_settings(profile="fast")
