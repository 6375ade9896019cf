import json
import unicodedata

import numpy as np
import pytest
import tifffile
from PIL import Image

from study.errors import StudyError


@pytest.fixture
def write_pairs(tmp_path, write_png, image_2x3, labels_2x3):
    def write(*stems: str, labels: str = "labels") -> None:
        for stem in stems:
            write_png(tmp_path / "images" / f"{stem}.png", image_2x3)
            write_png(tmp_path / labels / f"{stem}.png", labels_2x3)

    return write


def _names(dataset):
    return {split: [record.name for record in records] for split, records in dataset.splits.items()}


def _index(tmp_path, text):
    (tmp_path / "index.csv").write_text(text, encoding="utf-8-sig")


@pytest.mark.parametrize("labels", ["labels", "masks"])
def test_pairs_of_equal_stems_are_read_exactly(tmp_path, opened, labels):
    grey = np.array([[0, 300, 2], [65535, 1, 0]], np.uint16)
    ids = np.array([[0, 70000, 70000], [3, 0, 0]], np.uint32)
    for folder in ("images", labels):
        (tmp_path / folder).mkdir()
    tifffile.imwrite(tmp_path / "images" / "a.b.tif", grey)
    tifffile.imwrite(tmp_path / labels / "a.b.tiff", ids)
    (tmp_path / "images" / "._a.b.tif").write_bytes(b"hidden")
    (tmp_path / "images" / "notes.txt").write_text("passed over")
    dataset = opened("folder")
    sample = dataset.splits["train"][0].load()
    assert (sample.name, dataset.foreground_given, sample.image.dtype) == ("a.b", False, np.uint16)
    np.testing.assert_array_equal(sample.image[..., 0], grey)
    np.testing.assert_array_equal(sample.labels, ids)


def test_images_without_objects_are_legal(opened, write_pairs, write_png, tmp_path):
    write_pairs("a")
    write_png(tmp_path / "labels" / "a.png", np.zeros((2, 3), np.uint8))
    assert not opened("folder").splits["train"][0].load().labels.any()


def test_index_by_stem_or_file_name(tmp_path, opened, write_pairs):
    write_pairs("a", "b", "c.d", "e", "unused")
    _index(tmp_path, "split,image,objects\ntrain,c.d,4\ntest,b.png,2\n\ntrain,a,1\nval,e.png,1\n")
    dataset = opened("folder")
    assert _names(dataset) == {"train": ["c.d", "a"], "val": ["e"], "test": ["b"]}
    assert dataset.split_note == "the split column of index.csv"
    assert len(dataset.left_out) == 1
    assert dataset.left_out[0].startswith("unused: not in")


def test_index_may_leave_validation_and_test_empty(tmp_path, opened, write_pairs):
    write_pairs("a", "b")
    _index(tmp_path, "image,split\na,train\nb,train\n")
    assert _names(opened("folder")) == {"train": ["a", "b"], "val": [], "test": []}
    _index(tmp_path, "image,split\na,test\nb,val\n")
    assert _names(opened("folder")) == {"train": [], "val": ["b"], "test": ["a"]}


def test_without_an_index_the_seed_decides(opened, write_pairs):
    write_pairs(*"abcdefghij")
    first, second = (_names(opened("folder", split_seed=seed)) for seed in (1, 2))
    assert sorted(name for part in first.values() for name in part) == list("abcdefghij")
    assert all(first.values())
    assert first != second
    assert _names(opened("folder", split_seed=1, images=2))["train"] == [first["train"][0], first["train"][3]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image;split\na;train\n", "needs the columns image and split"),
        ("image,objects\na,1\n", "needs the columns image and split, or image and group, separated by commas"),
        ("image,split,group\na,train,p\nb,,q\n", "line 3: split is train, val or test, not ''"),
        ("", "needs the columns image and split"),
        ("image,split\na,training\n", "line 2: split is train, val or test, not 'training'"),
        ("image,split\na\n", "line 2: split is train, val or test, not ''"),
        ("image,split\na,train\nb,val\na.png,test\n", "line 4: names a again"),
    ],
)
def test_wrong_index(tmp_path, opened, write_pairs, text, words):
    write_pairs("a", "b")
    _index(tmp_path, text)
    with pytest.raises(StudyError, match=rf"index\.csv,? {words}"):
        opened("folder")


@pytest.mark.parametrize("columns", ["image,group,split", "image,group"])
def test_groups_without_splits_are_drawn_whole(tmp_path, opened, write_pairs, columns):
    names = [f"{plant}{day}" for plant in "abcdefghij" for day in (1, 2)]
    write_pairs(*names, "alone", "unused")
    comma = "," * (columns.count(",") - 1)
    _index(tmp_path, columns + "\n" + "".join(f"{name},{name[0]}{comma}\n" for name in names) + f"alone,{comma}\n")
    found = {seed: _names(opened("folder", split_seed=seed)) for seed in (1, 2)}
    for splits in found.values():
        assert sorted(name for part in splits.values() for name in part) == sorted([*names, "alone"])
        plants = [{name[0] for name in part if name != "alone"} for part in splits.values()]
        assert sum(map(len, plants)) == 10
        assert all(splits.values())
    assert found[1] != found[2]
    dataset = opened("folder", split_seed=1)
    assert dataset.split_note.endswith("drawn by seed 1, by the groups of index.csv")
    assert [item.split(":")[0] for item in dataset.left_out] == ["unused"]
    groups = {r.name: r.group for part in dataset.splits.values() for r in part}
    assert (groups["a1"], groups["a2"], groups["alone"]) == ("a", "a", "alone")


def test_groups_beside_splits(tmp_path, opened, write_pairs):
    write_pairs("a", "b", "c")
    _index(tmp_path, "image,split,group\na,train,p\nb,train,p\nc.png,test,q\n")
    dataset = opened("folder")
    assert _names(dataset) == {"train": ["a", "b"], "val": [], "test": ["c"]}
    assert [record.group for record in dataset.splits["train"]] == ["p", "p"]
    _index(tmp_path, "image,split,group\na,train,p\nc,test,q\nb,val,p\n")
    words = r"index\.csv cuts the group p: a is in train, but b in val; give all images of a group one split"
    with pytest.raises(StudyError, match=words):
        opened("folder")


def test_index_that_is_no_text(tmp_path, opened, write_pairs):
    write_pairs("a")
    (tmp_path / "index.csv").write_bytes(b"image,split\n\xff\xfe,train\n")
    with pytest.raises(StudyError, match=r"cannot read .*index\.csv"):
        opened("folder")


def test_faults_of_pairs_name_the_file_when_loaded(tmp_path, opened, write_pairs, write_png, image_2x3):
    write_pairs("ok", "unlabelled", "imageless", "twice", "odd")
    (tmp_path / "labels" / "unlabelled.png").unlink()
    (tmp_path / "images" / "imageless.png").unlink()
    tifffile.imwrite(tmp_path / "images" / "twice.tif", image_2x3)
    write_png(tmp_path / "labels" / "odd.png", np.zeros((3, 3), np.uint8))
    names = ["ok", "unlabelled", "imageless", "twice", "odd", "absent"]
    _index(tmp_path, "image,split\n" + "".join(f"{name},train\n" for name in names))
    records = dict(zip(names, opened("folder").splits["train"], strict=True))
    records["ok"].load()
    for name, words in (
        ("unlabelled", r"images/unlabelled\.png has no labels in .*labels: add them"),
        ("imageless", r"labels/imageless\.png has no image in .*images: add it"),
        ("twice", r"twice\.png and .*twice\.tif have one name"),
        ("odd", r"the image has 2 x 3 px but the labels have 3 x 3 px; .*odd\.png"),
        ("absent", r"absent is listed, but neither .*images nor .*labels has it"),
    ):
        with pytest.raises(StudyError, match=words):
            records[name].load()


def test_missing_folders_and_no_pairs(tmp_path, opened, write_pairs):
    write_pairs("a", labels="truth")
    with pytest.raises(StudyError, match="has no folder labels or masks"):
        opened("folder")
    (tmp_path / "labels").mkdir()
    with pytest.raises(
        StudyError, match=r"labels holds no label image that can be read \(it holds nothing\): save labels"
    ):
        opened("folder")
    (tmp_path / "labels" / "a.xml").touch()
    with pytest.raises(StudyError, match=r"labels holds no label image that can be read \(it holds 1 file \.xml\)"):
        opened("folder")
    write_pairs("b")
    (tmp_path / "images" / "b.png").unlink()
    words = r"no image in .*images has labels of the same name in .*labels \(there is a\.png and b\.png\)"
    with pytest.raises(StudyError, match=words):
        opened("folder")
    (tmp_path / "images" / "a.png").rename(tmp_path / "images" / "a.bmp")
    with pytest.raises(
        StudyError, match=r"images holds no image that can be read \(it holds 1 file \.bmp\): save images as"
    ):
        opened("folder")


def test_photographs_and_ome_files_are_images(tmp_path, opened, write_pairs, image_2x3, labels_2x3):
    write_pairs("a", "b", "c")
    for name in "abc":
        (tmp_path / "images" / f"{name}.png").unlink()
    Image.fromarray(image_2x3).save(tmp_path / "images" / "a.jpg")
    tifffile.imwrite(tmp_path / "images" / "b.ome.tif", image_2x3, photometric="rgb")
    tifffile.imwrite(tmp_path / "images" / "c.tif", image_2x3, photometric="rgb")
    Image.fromarray(image_2x3).save(tmp_path / "images" / "c.jpeg")  # a preview: the other keeps all values
    _index(tmp_path, "image,split\na.jpg,train\nb.ome.tif,train\nc,train\n")
    records = opened("folder").splits["train"]
    assert [record.name for record in records] == ["a", "b", "c"]
    for record in records:
        sample = record.load()
        assert sample.image.shape == image_2x3.shape
        np.testing.assert_array_equal(sample.labels, labels_2x3)
        assert record.name == "a" or (sample.image == image_2x3).all()


def test_labels_in_a_photograph_are_refused(tmp_path, opened, write_pairs, labels_2x3):
    write_pairs("a")
    (tmp_path / "labels" / "a.png").unlink()
    Image.fromarray(labels_2x3).save(tmp_path / "labels" / "a.jpg")
    with pytest.raises(StudyError, match=r"labels/a\.jpg is compressed by JPEG, which changes values"):
        opened("folder").splits["train"][0].load()


@pytest.mark.parametrize("listed", [False, True])
def test_names_are_the_same_in_each_unicode_form(tmp_path, opened, write_pairs, write_png, labels_2x3, listed):
    composed, apart = (unicodedata.normalize(form, "Blüte é") for form in ("NFC", "NFD"))
    write_pairs(apart)
    (tmp_path / "labels" / f"{apart}.png").rename(tmp_path / "labels" / f"{composed}.png")
    if listed:
        _index(tmp_path, f"image,split\n{apart},train\n")
    (record,) = opened("folder").splits["train"]
    assert record.name == composed
    np.testing.assert_array_equal(record.load().labels, labels_2x3)


def test_a_folder_of_masks_for_each_image(tmp_path, opened, write_png, image_2x3):
    for name in "ab":
        write_png(tmp_path / "images" / f"{name}.png", image_2x3)
    write_png(tmp_path / "masks" / "a" / "1.png", np.array([[255, 255, 0], [0, 0, 0]], np.uint8))
    write_png(tmp_path / "masks" / "a" / "2.png", np.array([[0, 255, 0], [0, 255, 0]], np.uint8))
    _index(tmp_path, "image,split\na,train\nb,train\n")
    a, b = opened("folder").splits["train"]
    np.testing.assert_array_equal(a.load().labels, [[1, 1, 0], [0, 2, 0]])
    (defect,) = a.settled()
    assert "overlap in 1 px" in defect
    with pytest.raises(StudyError, match=r"images/b\.png has no labels in .*masks"):
        b.load()


@pytest.mark.parametrize("place", ["labels/instances.json", "annotations/instances.json", "annotations.json"])
def test_annotations_of_coco(tmp_path, opened, write_png, image_2x3, place):
    write_png(tmp_path / "images" / "a.png", image_2x3)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    shown = [[[0, 0, 2, 0, 2, 1, 0, 1]], {"size": [2, 3], "counts": [5, 1]}]
    annotations = [{"id": i, "image_id": 7, "segmentation": each} for i, each in enumerate(shown)]
    content = {"images": [{"id": 7, "file_name": "set/a.png"}], "annotations": annotations}
    (tmp_path / place).write_text(json.dumps(content))
    (record,) = opened("folder").splits["train"]
    np.testing.assert_array_equal(record.load().labels, [[1, 1, 0], [0, 0, 2]])
    assert record.settled() == []
    (tmp_path / place).write_text('{"objects": []}')
    with pytest.raises(StudyError, match=rf"{place} holds no annotations of COCO"):
        opened("folder")


def test_coloured_labels_are_refused(opened, write_pairs, write_png, tmp_path, image_2x3):
    write_pairs("a")
    path = write_png(tmp_path / "labels" / "a.png", image_2x3)
    with pytest.raises(StudyError, match=rf"{path} marks objects by colours: save one whole number per object"):
        opened("folder").splits["train"][0].load()


def test_several_files_of_annotations_are_told(tmp_path, opened, write_png, image_2x3):
    for name in "ab":
        write_png(tmp_path / "images" / f"{name}.png", image_2x3)
        (tmp_path / f"{name}.json").write_text("{}")
    with pytest.raises(
        StudyError, match=r"has 2 files \.json \(.*a\.json, .*b\.json\): annotations of COCO are read from"
    ):
        opened("folder")


def test_folders_in_capitals(tmp_path, opened, write_pairs, labels_2x3):
    write_pairs("a")
    (tmp_path / "images").rename(tmp_path / "Images")
    (tmp_path / "labels").rename(tmp_path / "LABELS")
    (record,) = opened("folder").splits["train"]
    np.testing.assert_array_equal(record.load().labels, labels_2x3)
    write_pairs("b")  # where both are there, the one that is called so
    assert _names(opened("folder"))["train"] == ["b"]


def test_an_index_of_windows_and_in_capitals(tmp_path, opened, write_pairs):
    write_pairs("a", "b")
    _index(tmp_path, "Image, Split\nimages\\a.png,Train\nb,test \n")
    assert _names(opened("folder")) == {"train": ["a"], "val": [], "test": ["b"]}


def test_what_is_of_no_kind_is_told(tmp_path, opened, write_pairs):
    write_pairs("a")
    (tmp_path / "images" / "sub").mkdir()
    for name in ("images/b.bmp", "images/Thumbs.db", "images/.DS_Store", "labels/b.npy"):
        (tmp_path / name).touch()
    images, labels = opened("folder").left_out
    assert {"1 file .bmp", "1 folder"} == set(images.partition(" in ")[0].split(", "))
    assert labels == f"1 file .npy in {tmp_path / 'labels'}: of no kind that is read"


def test_names_that_are_no_text_are_told(tmp_path, opened, write_pairs):
    write_pairs("a")
    (tmp_path / "images" / "a.png").rename(tmp_path / "images" / "\udce9.png")
    with pytest.raises(StudyError, match=r"images/\ufffd\.png has a name that is no UTF-8: rename it"):
        opened("folder")


def test_what_the_disk_refuses_is_told(tmp_path, opened, write_pairs):
    write_pairs("a")
    (tmp_path / "index.csv").mkdir()
    with pytest.raises(StudyError, match=r"cannot read .*index\.csv \(Is a directory\): give yourself the right"):
        opened("folder")
