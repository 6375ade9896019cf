import io

import numpy as np
import pandas as pd
import pytest
import tifffile

from study.data.content import ImageContent, as_csv, content_of, equal_images, from_csv, in_two_splits
from study.errors import StudyError

GREY = np.array([[[0], [300], [2]], [[7], [1], [0]]], np.uint16)


def image(text):
    """`train a 1`: split, name and content."""
    return ImageContent(*text.split())


def test_the_type_of_the_pixels_does_not_count():
    assert len({content_of(GREY), content_of(GREY.astype(np.float32)), content_of(np.asfortranarray(GREY))}) == 1
    assert content_of(np.zeros((1, 1, 1), np.float32)) == content_of(-np.zeros((1, 1, 1), np.float32))
    assert len(content_of(GREY)) == 16


def test_values_and_shape_count():
    others = [GREY[:, ::-1], GREY.reshape(3, 2, 1), GREY.reshape(2, 1, 3), GREY // 2, GREY[:1]]
    assert len({content_of(other) for other in (GREY, *others)}) == 6


def test_each_image_stands_behind_the_first_of_its_content():
    images = [image(text) for text in ("train a 1", "train b 2", "val c 1", "test d 1", "test e 3")]
    assert equal_images(images) == [(images[0], images[2]), (images[0], images[3])]


def test_images_in_two_splits_are_named():
    images = [image(text) for text in ("train a 1", "train b 1", "val c 2", "test d 3")]
    assert in_two_splits(images) == ""
    assert in_two_splits([*images, image("test e 1")]) == "1 image is in two splits: a (train) = e (test)."
    many = [image(f"test x{i} 2") for i in range(7)]
    assert in_two_splits([*images, *many]) == (
        "7 images are in two splits: c (val) = x0 (test), c (val) = x1 (test), c (val) = x2 (test), "
        "c (val) = x3 (test), c (val) = x4 (test) and 2 more."
    )


def test_the_table_can_be_read_back():
    images = (ImageContent("train", "NA", "0123456789012345"), ImageContent("test", 'a, "b"', "00"))
    assert from_csv(as_csv(images)) == images
    assert from_csv(as_csv(())) == ()
    assert list(pd.read_csv(io.StringIO(as_csv(images))).columns) == ["split", "name", "content"]
    with pytest.raises(KeyError):
        from_csv("split,name\ntrain,a\n")


def test_a_copy_in_another_format_has_the_same_content(tmp_path, opened, write_png, labels_2x3):
    """The labels are not even read."""
    write_png(tmp_path / "images" / "a.png", GREY[..., 0])
    tifffile.imwrite(tmp_path / "images" / "b.tif", GREY[..., 0].astype(np.float32), compression="zlib")
    write_png(tmp_path / "images" / "c.png", GREY[::-1, :, 0])
    for name in "abc":
        (write_png(tmp_path / "labels" / f"{name}.png", labels_2x3)).write_bytes(b"damaged")
    (tmp_path / "index.csv").write_text("image,split\na,train\nc,train\nb,test\n")
    dataset = opened("folder")
    contents = dataset.contents()
    assert [image[:2] for image in contents] == [("train", "a"), ("train", "c"), ("test", "b")]
    assert in_two_splits(contents) == "1 image is in two splits: a (train) = b (test)."
    assert dataset.contents("test") == contents[2:]
    (tmp_path / "images" / "c.png").write_bytes(b"damaged")
    with pytest.raises(StudyError, match=r"c\.png"):
        dataset.contents()
    assert dataset.contents("test") == contents[2:]
