import io

import numpy as np
import pandas as pd
import pytest
from mlflow.artifacts import load_text

from study.data.batches import NetworkImage
from study.data.targets import distance_map
from study.errors import StudyError
from study.metrics import scores
from study.profiles import load_settings
from study.runs.threshold_search import search_thresholds
from study.segmentation import label_image
from study.tracking import connect, start_run
from tests.maps import image_maps

SETTINGS = load_settings(profile="smoke", overrides="clustering.foreground=none,tuning.trials=6")


def noisy(name, seed):
    """Two touching objects; the seed threshold of the paper is too high for one of them."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((20, 24), np.int32)
    labels[2:18, 2:10], labels[2:18, 10:20] = 1, 2
    distance = distance_map(labels) * np.where(labels == 2, 0.6, 1)
    embedding = np.eye(3)[labels] + rng.normal(0, 0.1, (20, 24, 3))
    image = NetworkImage(name, np.zeros((20, 24, 1), np.float16), labels, labels)
    return image_maps(distance.astype(np.float16), embedding.astype(np.float16)), image


@pytest.fixture
def pairs():
    return [noisy(f"i{i}", i) for i in range(5)]


def test_what_a_search_finds_is_better_and_logged(store, tmp_path, pairs):
    maps, images = zip(*pairs, strict=True)
    run = start_run(connect(), "run", "", {})
    found = search_thresholds(maps, images, SETTINGS, run, tmp_path / "x.log", ("sbd",))
    logged = pd.read_csv(io.StringIO(load_text(f"runs:/{run.run_id}/search/trials.csv")))

    def sbd(settings):
        pairs = zip(maps, images, strict=True)
        return np.mean([scores(i.original, label_image(m, i, settings.clustering))["sbd"] for m, i in pairs])

    assert sbd(found) == pytest.approx(logged["sbd"].max(), abs=1e-12)
    assert sbd(found) > sbd(SETTINGS)
    tags = store.get_run(run.run_id).data.tags
    values = {name: value for name, value in found.flat().items() if f"tuned.{name}" in tags}
    assert len(values) == 5
    assert {f"tuned.{name}": str(value) for name, value in values.items()}.items() <= tags.items()
    assert found.with_({name: SETTINGS.flat()[name] for name in values}) == SETTINGS
    files = {item.path for item in store.list_artifacts(run.run_id, "search")}
    assert files == {f"search/{name}" for name in ("trials.csv", "history.png", "slices.png", "contour.png")}
    assert store.get_run(run.run_id).data.metrics["perf/search_seconds"] > 0


def test_the_number_of_images_is_bounded(store, tmp_path, pairs):
    maps, images = zip(*pairs, strict=True)
    run = start_run(connect(), "run", "", {})
    search_thresholds(maps, images, SETTINGS.with_({"tuning.images": 2}), run, tmp_path / "x.log", ("sbd", "abs_dic"))
    logged = pd.read_csv(io.StringIO(load_text(f"runs:/{run.run_id}/search/trials.csv")))
    assert set(logged["images"]) == {2}
    assert any(item.path == "search/front.png" for item in store.list_artifacts(run.run_id, "search"))


def test_a_file_that_cannot_be_written_is_told(store, tmp_path, pairs):
    maps, images = zip(*pairs, strict=True)
    run = start_run(connect(), "run", "", {})
    with pytest.raises(StudyError, match=r"cannot write .*free disk space or rights"):
        search_thresholds(maps, images, SETTINGS, run, tmp_path / "no" / "x.log", ("sbd",))
