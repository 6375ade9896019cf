import pickle

import numpy as np
import pytest

from study.data import DATASETS, Dataset, Record, open_dataset
from study.data.dataset import draw, seeded_splits
from study.data.settings import Data
from study.errors import StudyError


def _arrays(height: int, width: int):
    return np.zeros((height, 3, 1), np.uint8), np.zeros((4, width), np.int32)


def _records(count: int) -> tuple[Record, ...]:
    return tuple(Record(f"r{i}", lambda: _arrays(4, 3)) for i in range(count))


def _dataset(records, **changes) -> Dataset:
    fields = {"name": "x", "splits": {"train": records, "val": (), "test": ()}, "foreground_given": False}
    return Dataset(**{**fields, "split_note": "", **changes})


def test_load_gives_the_sample():
    sample = Record("a", lambda: _arrays(4, 3)).load()
    assert (sample.name, sample.image.shape, sample.labels.shape) == ("a", (4, 3, 1), (4, 3))


def test_load_raises_the_fault_and_refuses_unequal_sizes(tmp_path):
    with pytest.raises(StudyError, match="nothing there"):
        Record("a", lambda: _arrays(4, 3), fault="nothing there").load()
    with pytest.raises(StudyError, match=r"a: the image has 4 x 3 px but the labels have 4 x 5 px; .*x\.png"):
        Record("a", lambda: _arrays(4, 5), (tmp_path / "x.png",)).load()


@pytest.mark.parametrize(("images", "kept"), [(0, "0123456"), (3, "024"), (7, "0123456"), (9, "0123456"), (1, "0")])
def test_limited_spreads_evenly(images, kept):
    limited = _dataset(_records(7)).limited(images)
    assert [record.name for record in limited.splits["train"]] == [f"r{i}" for i in kept]
    assert limited.splits["val"] == ()


def test_digest_changes_with_name_split_bytes_and_generator_but_not_with_the_place(tmp_path):
    def digest(folder="a", content=b"1", record="r", split="train", **changes):
        path = tmp_path / folder / "f"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        splits = {"train": (), "val": (), "test": (), split: (Record(record, lambda: _arrays(4, 3), (path,)),)}
        return _dataset((), splits=splits, **changes).digest()

    assert digest() == digest(folder="b")
    others = [digest(content=b"2"), digest(record="s"), digest(split="val"), digest(generator="v2"), digest(name="y")]
    assert len({digest(), *others}) == 6
    assert len(digest()) == 12
    assert int(digest(), 16) >= 0


def test_digest_names_a_file_that_is_gone(tmp_path):
    record = Record("a", lambda: _arrays(4, 3), (tmp_path / "gone.png",))
    with pytest.raises(StudyError, match=r"gone\.png"):
        _dataset((record,)).digest()


@pytest.mark.parametrize(("count", "sizes"), [(0, (0, 0, 0)), (1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1))])
def test_few_records_still_train(count, sizes):
    splits = seeded_splits(_records(count), 1)
    assert tuple(len(splits[split]) for split in ("train", "val", "test")) == sizes


def test_seeded_splits_part_the_records_by_seed_and_name_only():
    records = _records(100)
    splits = seeded_splits(records, 1)
    assert {split: len(part) for split, part in splits.items()} == {"train": 72, "val": 13, "test": 15}
    assert {record.name for part in splits.values() for record in part} == {record.name for record in records}
    assert seeded_splits(records, 2) != splits
    drawn = {record.name for record in draw(records, 1, 0.3)[0]}
    backwards = {record.name for record in draw(records[::-1], 1, 0.3)[0]}
    assert drawn == backwards
    assert len(drawn) == 30


def test_draws_without_groups_are_published():
    """They must never change: results are compared across versions."""
    splits = seeded_splits(_records(12), 2020)
    assert [record.name for record in splits["test"]] == ["r1", "r4"]
    assert [record.name for record in splits["val"]] == ["r5", "r6"]


def _grouped(*sizes: int) -> tuple[Record, ...]:
    """Records of groups of these sizes, one of each group after the other."""
    return tuple(
        Record(f"{group}.{i}", lambda: _arrays(4, 3), group=f"g{group}")
        for i in range(max(sizes, default=0))
        for group, size in enumerate(sizes)
        if i < size
    )


@pytest.mark.parametrize("sizes", [(2,) * 20, (1, 2, 3, 4, 5, 6, 7), (30, 1, 1), (9, 9), (3,), ()])
@pytest.mark.parametrize("seed", range(5))
def test_no_draw_cuts_a_group(sizes, seed):
    records = _grouped(*sizes)
    splits = seeded_splits(records, seed)
    assert sorted(r.name for part in splits.values() for r in part) == sorted(r.name for r in records)
    groups = [{record.group for record in part} for part in splits.values()]
    assert sum(map(len, groups)) == len(sizes)
    assert (len(splits["train"]) > 0, len(splits["test"]) > 0) == (len(sizes) > 0, len(sizes) > 1)


def test_a_draw_of_groups_comes_close_to_its_share():
    for seed in range(20):
        drawn, rest = draw(_grouped(*(2,) * 50), seed, 0.15)
        assert (len(drawn), len(rest)) in ((14, 86), (16, 84))
        drawn, rest = draw(_grouped(90, *(1,) * 10), seed, 0.1)
        assert {record.group for record in rest} == {"g0"}  # nine tenths of the images are not a tenth
        drawn, rest = draw(_grouped(30, 20), seed, 0.1)
        assert {record.group for record in drawn} == {"g1"}


def test_a_record_is_a_group_of_its_own():
    assert [record.group for record in _records(2)] == ["r0", "r1"]


def test_records_of_a_split():
    dataset = _dataset(_records(2), split_note="by hand")
    assert dataset.records("train", "train on") == dataset.splits["train"]
    with pytest.raises(StudyError, match=r"data set x has no test image to score: by hand"):
        dataset.records("test", "score")
    with pytest.raises(StudyError, match=r"unknown split 'tset', did you mean test\? Choose one of test, train, val"):
        dataset.records("tset", "score")


def test_all_images_are_test_images_by_name():
    dataset = open_dataset(Data(all_test=True))
    names = [record.name for record in dataset.splits["test"]]
    assert len(names) == 128 + 16 + 24
    assert names == sorted(names)
    assert dataset.splits["train"] == dataset.splits["val"] == ()
    assert "all images are test images" in dataset.split_note
    assert len(open_dataset(Data(all_test=True, images=3)).splits["test"]) == 3


def test_the_image_alone():
    read = Record("a", lambda: _arrays(4, 3)).load_image()
    np.testing.assert_array_equal(read, _arrays(4, 3)[0])
    assert Record("a", lambda: _arrays(4, 3), read_image=lambda: 7).load_image() == 7
    with pytest.raises(StudyError, match="nothing there"):
        Record("a", lambda: _arrays(4, 3), fault="nothing there").load_image()


def test_unknown_key_lists_the_known():
    with pytest.raises(
        StudyError, match=r"unknown data set 'cells', did you mean synthetic-cells\? Choose one of bbbc006"
    ) as error:
        open_dataset(Data(name="cells"))
    assert {*str(error.value).partition("Choose one of ")[2].split(", ")} == DATASETS.keys()


@pytest.mark.parametrize("name", ["cvppp2017", "bbbc006", "bbbc039", "dsb2018", "folder"])
def test_root_must_be_given_and_exist(name, tmp_path):
    with pytest.raises(StudyError, match="needs data_root: the folder with"):
        open_dataset(Data(name=name))
    with pytest.raises(StudyError, match=r"gone is not a folder: give the one with"):
        open_dataset(Data(name=name, root=str(tmp_path / "gone")))
    with pytest.raises(StudyError, match=f"{tmp_path}.* has no folder"):
        open_dataset(Data(name=name, root=str(tmp_path)))


@pytest.mark.parametrize("name", ["synthetic-leaves", "synthetic-cells"])
def test_records_can_be_sent_to_another_process(name):
    record = open_dataset(Data(name=name)).splits["val"][3]
    copy = pickle.loads(pickle.dumps(record))
    np.testing.assert_array_equal(copy.load().image, record.load().image)
