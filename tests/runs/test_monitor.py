import numpy as np
import pytest
import torch

from study.data.batches import NetworkImage
from study.maps import NetworkOutput
from study.profiles import load_settings
from study.runs import monitor
from study.runs.monitor import PICTURES, RunMonitor, panels
from study.tracking import connect, picture_key, start_run
from study.training.checkpoint import History
from tests.maps import image_maps

HISTORY = History(
    1.5,
    [{"step": 3, "train/loss": 0.9, "perf/images_per_second": 7.0}, {"step": 6, "train/loss": 0.1 + 0.2}],
    [{"step": 3, "seconds": 0.5, "val/sbd": 0.25}, {"step": 6, "seconds": 1.5, "val/sbd": 1 / 3}],
)
LOSSES = {"train/loss": 0.5, "perf/images_per_second": 10.0}


class Recorder:
    """A run that keeps what it is given."""

    def __init__(self):
        self.batches, self.images, self.tags = [], [], {}

    def log_metrics(self, *points):
        self.batches.append([(point.step, point.values) for point in points])

    def log_image(self, picture, key, step):
        self.images.append((key, step, picture.shape[2]))

    def set_tags(self, tags):
        self.tags |= tags

    @property
    def points(self):
        return [point for batch in self.batches for point in batch]


class Network(torch.nn.Module):
    """Gives the same distance everywhere, and embeddings of one direction."""

    def __init__(self, distance):
        super().__init__()
        self.distance = torch.nn.Parameter(torch.tensor(float(distance)))

    def forward(self, images):
        shape = (len(images), 1, *images.shape[2:])
        embedding = torch.eye(8)[0][:, None, None].expand(len(images), 8, *shape[2:])
        return NetworkOutput(distance=self.distance.expand(shape), embedding=embedding)


def pictures(count=4, size=16):
    labels = np.zeros((size, size), np.int32)
    labels[1:7, 1:7], labels[8:15, 6:15] = 1, 2
    pixels = np.random.default_rng(0).normal(size=(count, size, size, 3)).astype(np.float16)
    return [NetworkImage(f"i{i}", image, labels, labels) for i, image in enumerate(pixels)]


def shown_by(run, images=(), steps=9, shown=True):
    changes = "data.image_size=16,training.validation_images=2,clustering.foreground=truth"
    settings = load_settings(profile="smoke", overrides=changes)
    return RunMonitor(run, settings, images, steps, "a name", shown=shown)


def test_losses_wait_for_the_next_validation():
    run = Recorder()
    with shown_by(run) as shown:
        for step in (1, 2):
            shown.step(step, LOSSES)
        assert run.batches == []
        shown.validated(2, {"val/sbd": 0.5})
        assert run.batches == [[(1, LOSSES), (2, LOSSES), (2, {"val/sbd": 0.5})]]
        shown.step(3, LOSSES)
    assert run.points[3:] == [(3, LOSSES)]


def test_what_waits_is_logged_where_a_training_stops():
    run = Recorder()
    shown = shown_by(run)
    shown.step(1, LOSSES)
    with pytest.raises(ZeroDivisionError), shown:
        raise ZeroDivisionError
    assert run.points == [(1, LOSSES)]


def test_a_resumed_history_is_logged_with_its_steps(store):
    run = start_run(connect(), "a name", "a note", {})
    with shown_by(run) as shown:
        shown.resumed(HISTORY)
        shown.step(9, LOSSES)
        shown.validated(9, {"val/sbd": 0.5})
    found = {
        name: [(point.step, point.value) for point in store.get_metric_history(run.run_id, name)]
        for name in store.get_run(run.run_id).data.metrics
    }
    assert found == {
        "train/loss": [(3, 0.9), (6, 0.1 + 0.2), (9, 0.5)],
        "perf/images_per_second": [(3, 7.0), (9, 10.0)],
        "val/sbd": [(3, 0.25), (6, 1 / 3), (9, 0.5)],
    }


def test_a_history_with_nothing_after_it_is_logged_too():
    run = Recorder()
    with shown_by(run) as shown:
        shown.resumed(HISTORY)
    assert run.points == HISTORY.points()


def test_the_terminal_shows_where_the_training_is(monkeypatch, capsys):
    real = monitor.tqdm
    monkeypatch.setattr(monitor, "tqdm", lambda disable, **given: real(disable=disable or False, **given))
    with shown_by(Recorder()) as shown:
        assert (shown.bar.total, shown.bar.desc) == (9, "a name")
        shown.resumed(HISTORY)
        assert shown.bar.n == 6
        shown.step(8, LOSSES)
        assert shown.bar.n == 8
        assert shown.bar.postfix == "loss 0.500, 10 images/s"
    assert " 6/9 " in capsys.readouterr().err


def test_a_training_of_a_launch_leaves_the_terminal_to_it(monkeypatch, capsys):
    real, run = monitor.tqdm, Recorder()
    monkeypatch.setattr(monitor, "tqdm", lambda disable, **given: real(disable=disable or False, **given))
    with shown_by(run, shown=False) as shown:
        shown.step(8, LOSSES)
    assert capsys.readouterr().err == ""
    assert run.progress == "step 8 of 9, 10 images/s"


def test_validation_images_are_scored_and_pictured():
    run, images = Recorder(), pictures()
    with shown_by(run, images) as shown:
        scores = shown.validate(Network(5))
        shown.validated(3, scores)
    assert all(name.startswith("val/") for name in scores)
    assert 0 <= scores["val/sbd"] <= 1
    assert {"val/sbd", "val/map", "val/abs_dic"} <= scores.keys()
    assert not {"val/n_true", "val/ap_50"} & scores.keys()  # which the table of a run has
    assert run.points == [(3, scores)]
    assert run.images == [(picture_key(image.name), 3, 3) for image in images[:2]]  # training.validation_images


@pytest.mark.parametrize(("distance", "told"), [(0, True), (0.05, False)])
def test_a_dead_distance_head_is_told(distance, told, capsys):
    run = Recorder()
    with shown_by(run, pictures()) as shown:
        shown.validated(3, shown.validate(Network(distance)))
    assert ("warning" in run.tags) == told
    out = capsys.readouterr().out
    assert ("warning: the distance head is dead" in out) == told
    if told:
        assert run.tags["warning"] in out
        assert "network.leaky_distance_gradient=true" in out


def test_an_untrained_network_is_pictured_and_scored_but_not_called_dead():
    run = Recorder()
    with shown_by(run, pictures()) as shown:
        shown.started(Network(0))
    assert run.images == [(picture_key(f"i{i}"), 0, 3) for i in range(2)]
    ((step, scores),) = run.points
    assert (step, run.tags) == (0, {})
    assert scores["val/sbd"] >= 0


def test_without_validation_images():
    run = Recorder()
    with shown_by(run) as shown:
        shown.started(Network(0))
        shown.validated(3, shown.validate(Network(0)))
    assert (run.points, run.images, run.tags) == ([(0, {}), (3, {})], [], {})


def test_panels_of_the_first_images():
    images = pictures(count=PICTURES + 2, size=8)
    maps = [image_maps(np.ones((8, 8), np.float16), np.ones((8, 8, 4), np.float16)) for _ in images]
    found = panels(images, maps, [np.ones((16, 16), np.int32) for _ in images])  # labels of the original size
    assert [panel.shape for panel in found] == [(160, 5 * 160 + 16, 3)] * PICTURES
