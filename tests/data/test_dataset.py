import pickle

import numpy as np
import pytest

from study.config import Data
from study.data import DATASETS, Dataset, Record, open_dataset
from study.data.dataset import draw, seeded_splits
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


def test_unknown_key_lists_the_known():
    with pytest.raises(StudyError, match=f"unknown data set 'cells': .*{', '.join(sorted(DATASETS))}"):
        open_dataset(Data(name="cells"))


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
