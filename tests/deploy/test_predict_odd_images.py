import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from study.data.files.reading import read_labels
from study.deploy.predict import predict
from tests.deploy.stand_in import FOUND, TWO, Threshold, names

RGB = TWO[..., None].repeat(3, 2)
ALPHA = np.full((8, 9), 77, np.uint8)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


def save(pixels, **given):
    return lambda path: Image.fromarray(pixels).save(path, **given)


def tiff(pixels, **given):
    return lambda path: tifffile.imwrite(path, pixels, **({"photometric": "minisblack"} | given))


def cut(write, share=0.6):
    def written(path):
        write(path)
        data = path.read_bytes()
        path.write_bytes(data[: int(share * len(data))])

    return written


def palette(path):
    image = Image.fromarray(TWO // 50)
    image.putpalette([value for index in range(256) for value in [min(50 * index, 255)] * 3])
    image.save(path)


def closed(path):
    Image.fromarray(TWO).save(path)
    path.chmod(0)


NOISE = np.random.default_rng(0).integers(0, 255, (50, 50), np.uint8)
NAN = np.where(TWO == 150, np.nan, TWO).astype(np.float32)

RESULTS = {
    "grey.png": save(TWO),
    "sixteen bits.png": save(TWO.astype(np.uint16)),
    "colours.png": save(RGB),
    "transparent.png": save(np.dstack([RGB, ALPHA])),
    "grey, transparent.png": save(np.dstack([TWO, ALPHA])),
    "palette.png": palette,
    "Zellen Größe 3 µm.png": save(TWO),
    "细胞 1.tif": tiff(TWO),
    "photo.jpg": save(RGB, quality=100, subsampling=0),
    "photo for print.jpeg": lambda path: Image.fromarray(RGB).convert("CMYK").save(path, quality=100, subsampling=0),
    "a png in truth.tif": lambda path: Image.fromarray(TWO).save(path, format="PNG"),
    "a tiff in truth.png": lambda path: Image.fromarray(TWO).save(path, format="TIFF"),
    "floats.tif": tiff(TWO.astype(np.float64)),
    "negative.tif": tiff(TWO.astype(np.int16) - 5),
    "32 bits.tif": tiff(TWO.astype(np.uint32) * 1000),
    "deep colours.tif": tiff(RGB.astype(np.uint16) * 100, photometric="rgb"),
    "planar colours.tif": tiff(np.moveaxis(RGB, 2, 0), photometric="rgb", planarconfig="separate"),
    "lzw.tif": save(TWO, compression="tiff_lzw"),
    "one frame.ome.tif": tiff(TWO[None, None], metadata={"axes": "TZYX"}),
}
ODD = {
    "a pixel.png": (save(np.array([[7]], np.uint8)), np.zeros((1, 1))),
    "black.png": (save(np.zeros((6, 7), np.uint8)), np.zeros((6, 7))),
    "black and white.png": (save(TWO > 0), np.zeros((8, 9))),
    "narrow.tif": (tiff(np.array([[0, 200, 0, 200]], np.uint8)), np.array([[0, 1, 0, 2]])),
}
SENTENCES = {
    "truncated.png": (cut(save(NOISE)), "damaged"),
    "truncated.jpg": (cut(save(NOISE)), "damaged"),
    "truncated.tif": (cut(tiff(NOISE)), "damaged"),
    "truncated stack.tif": (cut(tiff(np.stack([NOISE] * 4))), "damaged"),
    "nan.tif": (tiff(NAN), "nan or infinite"),
    "five channels.tif": (tiff(np.zeros((8, 9, 5), np.uint8), planarconfig="contig"), "has shape"),
    "five colours.tif": (tiff(np.zeros((5, 8, 9), np.uint8), imagej=True, metadata={"axes": "CYX"}), "5 channels"),
    "complex.tif": (tiff(TWO.astype(np.complex64)), "complex64"),
    "empty.png": (Path.touch, "is empty"),
    "text.tif": (lambda path: path.write_text("Dear reviewer,"), "another format"),
    "link.png": (lambda path: path.symlink_to("nowhere.png"), "does not exist"),
}
if os.geteuid():
    SENTENCES["closed.png"] = (closed, "may not be read")


@pytest.mark.parametrize("name", RESULTS)
def test_images_of_all_kinds_give_the_same_labels(folder, name):
    RESULTS[name](folder / name)
    assert predict(Threshold(), folder, folder / "out") == 0
    (file,) = (folder / "out").glob("*.*")
    assert file.name == f"{name.split('.')[0]}.png"
    np.testing.assert_array_equal(read_labels(file), FOUND)


@pytest.mark.parametrize("name", ODD)
def test_odd_images_give_a_result(folder, name):
    write, expected = ODD[name]
    write(folder / name)
    assert predict(Threshold(), folder, folder / "out", overlay=True, table=True) == 0
    np.testing.assert_array_equal(read_labels(folder / "out" / f"{Path(name).stem}.png"), expected)
    assert pd.read_csv(folder / "out" / "counts.csv")["objects"].to_list() == [expected.max()]


@pytest.mark.parametrize("format", ["png", "tif"])
def test_what_cannot_be_segmented_is_told_at_the_end(folder, format, capsys):
    """All of them in one folder, between two images that can."""
    Image.fromarray(TWO).save(folder / "0.png")
    Image.fromarray(TWO).save(folder / "z.png")
    for name, (write, _) in SENTENCES.items():
        write(folder / name)
    assert predict(Threshold(), folder, folder / "out", format=format) == len(SENTENCES)
    assert names(folder / "out") == [f"0.{format}", f"z.{format}"]
    told = capsys.readouterr()
    assert "2 images segmented" in told.out
    lines = told.err.splitlines()
    assert len(lines) == len(SENTENCES)
    for line, name in zip(lines, sorted(SENTENCES), strict=True):
        assert str(folder / name) in line
        assert SENTENCES[name][1] in line
