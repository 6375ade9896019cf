import os
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from study.data.files.reading import read_labels
from study.deploy.images import Planes
from study.deploy.outputs import (
    Outputs,
    output_names,
    read_labels_of,
    tables_of,
    write_tables,
)
from study.errors import StudyError
from study.files import WriteError

LABELS = np.array([[0, 1, 1, 0], [2, 2, 0, 65535]], np.int32)
IMAGE = np.arange(8, dtype=np.uint8).reshape(2, 4, 1)
SINGLE = Planes([IMAGE])
SLICES = Planes([IMAGE] * 6, "Z", (6,))


def refused(path, words, error=StudyError):
    """The call names the path and says `words`, in one sentence of one line."""
    return pytest.raises(error, match=f"(?=.*{re.escape(str(path))})(?=.*{words})\\A[^\n]*\\Z")


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a.png", "b.tif"], ["a", "b"]),
        (["a.png", "a.tif", "b.tif"], ["a.png", "a.tif", "b"]),
        (["a.ome.tif", "b.c.png"], ["a", "b.c"]),
        (["a.ome.tif", "a.png"], ["a.ome.tif", "a.png"]),
        (["A.png", "a.tif"], ["A.png", "a.tif"]),
        (["a.png", "a.tif", "a.tif.png"], ["a.png", "a.tif", "a.tif.png"]),
        (["scan"], ["scan"]),
    ],
)
def test_names_are_different(files, names):
    assert output_names([Path(file) for file in files]) == names


def test_16_bit_png(tmp_path):
    Outputs(tmp_path, "png", []).write_labels("a", [LABELS], SINGLE)
    with Image.open(tmp_path / "a.png") as file:
        assert file.mode == "I;16"
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), LABELS)


@pytest.mark.parametrize(("largest", "dtype"), [(65535, np.uint16), (65536, np.int32), (2**31 - 1, np.int32)])
def test_tiff_has_16_bits_as_long_as_they_suffice(tmp_path, largest, dtype):
    labels = np.where(LABELS == 65535, largest, LABELS)
    Outputs(tmp_path, "tif", []).write_labels("a", [labels], SINGLE)
    pixels = tifffile.imread(tmp_path / "a.tif")
    assert pixels.dtype == dtype
    np.testing.assert_array_equal(pixels, labels)


def test_ids_above_16_bits_are_tiff_where_png_was_wanted(tmp_path):
    Outputs(tmp_path, "png", []).write_labels("a", [LABELS + 1], SINGLE)
    assert [file.name for file in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize(("offset", "dtype"), [(0, np.uint16), (70000, np.int32)])
@pytest.mark.parametrize(
    ("axes", "shape", "written"), [("Z", (6,), "Z"), ("T", (6,), "T"), ("TZ", (2, 3), "TZ"), ("QI", (3, 2), "Z")]
)
def test_stacks_are_described_for_imagej(tmp_path, offset, dtype, axes, shape, written):
    labels = [(LABELS % 9) * k + offset for k in range(6)]
    Outputs(tmp_path, "png", []).write_labels("a", labels, Planes([IMAGE] * 6, axes, shape))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        (series,) = file.series
        assert (series.kind, series.axes, len(file.pages)) == ("imagej", f"{written}YX", 6)
        assert file.imagej_metadata["max"] == max(plane.max() for plane in labels)
        assert series.dtype == dtype
        assert {page.compression for page in file.pages} == {tifffile.COMPRESSION.ADOBE_DEFLATE}
        np.testing.assert_array_equal(series.asarray().reshape(6, 2, 4), labels)


@pytest.mark.parametrize("size", [(1, 1), (5, 1), (1, 5), (3, 3)])
@pytest.mark.parametrize("count", [1, 3])
def test_labels_are_read_back_at_any_size(tmp_path, size, count):
    labels = [np.full(size, 7 + k, np.int32) for k in range(count)]
    planes = Planes([np.zeros((*size, 1))] * count, *(("Z", (count,)) if count > 1 else ("", ())))
    outputs = Outputs(tmp_path, "tif", [])
    outputs.write_labels("a", labels, planes)
    np.testing.assert_array_equal(read_labels_of(outputs.labels_of("a")), labels)


def test_labels_replace_those_of_another_format_and_their_picture(tmp_path):
    outputs = Outputs(tmp_path, "png", [])
    outputs.write_labels("a", [LABELS], SINGLE)
    outputs.write_overlay("a", [LABELS % 9], SINGLE)
    assert outputs.has_overlay("a")
    other = Outputs(tmp_path, "tif", [])
    assert other.labels_of("a") == tmp_path / "a.png"
    other.write_labels("a", [LABELS], SINGLE)
    assert other.labels_of("a") == tmp_path / "a.tif"
    assert not (tmp_path / "a.png").exists()
    assert not outputs.has_overlay("a")


@pytest.mark.parametrize(("planes", "name"), [(SINGLE, "a.png"), (SLICES, "a.tif")])
def test_pictures_show_outlines_in_colour(tmp_path, planes, name):
    labels = np.zeros((2, 4), np.int32)
    labels[:, 1:3] = 1
    Outputs(tmp_path, "png", []).write_overlay("a", [labels] * len(planes.images), planes)
    with Image.open(tmp_path / "overlays" / name) as file:
        assert file.mode == "RGB"
        assert getattr(file, "n_frames", 1) == len(planes.images)
        coloured = np.ptp(np.array(file), axis=2) > 0
    factor = 1 if planes.axes else 128  # of a stack each pixel stands for as much as in the image
    assert coloured.shape == (2 * factor, 4 * factor)
    assert not coloured[:, :factor].any()
    assert coloured[:, [factor, 3 * factor - 1]].all()
    assert not coloured[:, 3 * factor :].any()


def test_a_folder_is_made(tmp_path):
    Outputs(tmp_path / "a" / "b", "png", []).write_labels("c", [LABELS], SINGLE)
    assert (tmp_path / "a" / "b" / "c.png").exists()


def test_folders_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with refused(folder, "cannot write into"):
            Outputs(folder, "png", [])
    with pytest.raises(StudyError, match="unknown format 'gif'"):
        Outputs(tmp_path, "gif", [])
    if os.geteuid():
        (tmp_path / "closed").mkdir(0o500)
        with refused(tmp_path / "closed", "cannot write into"):
            Outputs(tmp_path / "closed", "png", [])


def test_the_folder_of_the_images_is_refused(tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "b.png").symlink_to(tmp_path / "a.png")
    for image in (tmp_path / "a.png", tmp_path / "images" / "b.png"):
        with refused(tmp_path, "holds the images"):
            Outputs(tmp_path, "png", [image])
    Outputs(tmp_path / "labels", "png", [tmp_path / "a.png"])


@pytest.mark.parametrize("format", ["png", "tif"])
def test_a_full_disk_leaves_no_file(tmp_path, format):
    resource = pytest.importorskip("resource")
    labels = np.random.default_rng(0).integers(0, 60000, (200, 200)).astype(np.int32)
    outputs = Outputs(tmp_path, format, [])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, limits[1]))
    try:
        with refused(tmp_path / f"a.{format}", "free disk space", WriteError):
            outputs.write_labels("a", [labels], SINGLE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_other_files_are_no_labels(tmp_path):
    Image.fromarray(np.arange(18, dtype=np.uint8).reshape(2, 3, 3)).save(tmp_path / "a.png")
    with refused(tmp_path / "a.png", "by colours"):
        read_labels_of(tmp_path / "a.png")


def test_tables_against_a_loop_over_pixels():
    labels = np.random.default_rng(0).choice([0, 3, 70000], (5, 6)).astype(np.int32)
    pixels = np.arange(90.0).reshape(5, 6, 3)
    objects, counts = tables_of("a.png", [labels], [pixels])
    assert objects["plane"].isna().all()
    assert list(objects["label"]) == [3, 70000]
    for _, row in objects.iterrows():
        rows, columns = np.nonzero(labels == row["label"])
        assert row["image"] == "a.png"
        assert row["area_px"] == len(rows)
        assert row["diameter_px"] == pytest.approx(2 * np.sqrt(len(rows) / np.pi))
        assert row["intensity_mean"] == pytest.approx(pixels[rows, columns].mean())
        assert (row["centroid_row"], row["centroid_column"]) == pytest.approx((rows.mean(), columns.mean()))
        assert (row["first_row"], row["first_column"]) == (rows.min(), columns.min())
        assert (row["end_row"], row["end_column"]) == (rows.max() + 1, columns.max() + 1)
    assert counts["plane"].isna().all()
    assert counts[["image", "objects"]].to_dict("list") == {"image": ["a.png"], "objects": [2]}


def test_a_disc_is_round_and_a_line_is_not():
    labels = np.zeros((9, 9), np.int32)
    labels[:3, :3], labels[5] = 1, 2
    objects, _ = tables_of("a.png", [labels], [np.zeros((9, 9, 1))])
    assert objects["eccentricity"].tolist() == [0, 1]


def test_tables_in_files(tmp_path):
    empty, pixels = np.zeros((2, 4), np.int32), np.full((2, 4, 1), 7, np.uint8)
    flat = [tables_of("a, b.png", [LABELS], [pixels]), tables_of("d.png", [empty], [pixels])]
    write_tables(tmp_path, [flat[0], tables_of("c.tif", [LABELS, empty], [pixels] * 2), flat[1]])
    assert (tmp_path / "counts.csv").read_text() == (
        'image,plane,objects\n"a, b.png",,3\nc.tif,0,3\nc.tif,1,0\nd.png,,0\n'
    )
    lines = (tmp_path / "objects.csv").read_text().splitlines()
    assert lines[0] == (
        "image,plane,label,area_px,diameter_px,eccentricity,intensity_mean,centroid_row,centroid_column,first_row,"
        "first_column,end_row,end_column"
    )
    assert lines[1] == '"a, b.png",,1,2,1.595769,1,7,0,1.5,0,1,1,3'
    assert lines[4] == "c.tif,0,1,2,1.595769,1,7,0,1.5,0,1,1,3"
    assert len(lines) == 7
    write_tables(tmp_path, flat)  # no stack
    assert (tmp_path / "counts.csv").read_text() == 'image,objects\n"a, b.png",3\nd.png,0\n'
