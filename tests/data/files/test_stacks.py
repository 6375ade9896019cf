import os
import re
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from study.data.files.reading import read_image, read_labels
from study.data.files.stacks import read_stack
from study.errors import StudyError

GREY = np.arange(2 * 3, dtype=np.uint8).reshape(2, 3)
RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
FILTERS = (  # of PNG: what a byte is guessed to be from those to the left, above, and above that to the left
    lambda a, b, c: 0,
    lambda a, b, c: a,
    lambda a, b, c: b,
    lambda a, b, c: (a + b) // 2,
    lambda a, b, c: min((a, b, c), key=lambda x: abs(a + b - c - x)),
)


def refused(path, words):
    """The call names the path and says `words`, in one sentence of one line."""
    return pytest.raises(StudyError, match=f"(?=.*{re.escape(str(path))})(?=.*{words})\\A[^\n]*\\Z")


def planes(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def deep_png(pixels):
    """A PNG with 16 bits per value, of any number of channels, its rows filtered in each of the five ways in turn."""
    rows, columns, channels = pixels.shape
    values = pixels.astype(">u2").tobytes()
    step, length = 2 * channels, 2 * channels * columns
    lines, above = [], bytes(length)
    for i in range(rows):
        line = values[i * length : (i + 1) * length]
        left, corner = bytes(step) + line[:-step], bytes(step) + above[:-step]
        coded = [(x - FILTERS[i % 5](a, b, c)) % 256 for x, a, b, c in zip(line, left, above, corner, strict=True)]
        lines.append(bytes([i % 5, *coded]))
        above = line
    header = struct.pack(">IIBBBBB", columns, rows, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_png_with_16_bit_colours_is_read_exactly(tmp_path, channels):
    pixels = np.random.default_rng(0).integers(0, 65536, (11, 7, channels)).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(deep_png(pixels))
    image = read_image(tmp_path / "a.png")
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, pixels[..., : 1 if channels == 2 else 3])


def test_truncated_png_with_16_bit_colours(tmp_path):
    (tmp_path / "a.png").write_bytes(deep_png(np.zeros((20, 20, 3)))[:60])
    with refused(tmp_path / "a.png", "damaged"):
        read_stack(tmp_path / "a.png")


@pytest.mark.parametrize(("made", "named"), [("a.png", "a.tif"), ("a.tif", "a.png"), ("a.png", "a.jpg")])
def test_the_content_tells_the_format(tmp_path, made, named):
    Image.fromarray(RGB).save(tmp_path / made)
    (tmp_path / made).rename(tmp_path / named)
    np.testing.assert_array_equal(read_stack(tmp_path / named).pixels, RGB)


@pytest.mark.parametrize(
    ("given", "axes"),
    [
        ({"imagej": True, "metadata": {"axes": "ZYX"}}, "Z"),
        ({"imagej": True, "metadata": {"axes": "TYX"}}, "T"),
        ({"ome": True, "metadata": {"axes": "TYX"}}, "T"),
        ({}, "Q"),
        ({"metadata": None}, "I"),
    ],
)
def test_planes_of_a_stack(tmp_path, given, axes):
    pixels = planes(4, 2, 5)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", **given)
    stack = read_stack(tmp_path / "a.tif")
    assert stack.axes == axes
    np.testing.assert_array_equal(stack.pixels, pixels[..., None])


def test_frames_and_slices_keep_their_order(tmp_path):
    pixels = planes(2, 4, 3, 5)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": "TZYX"})
    stack = read_stack(tmp_path / "a.tif")
    assert stack.axes == "TZ"
    np.testing.assert_array_equal(stack.pixels, pixels[..., None])


@pytest.mark.parametrize("axes", ["CYX", "ZCYX"])
@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_three_channels_are_colours(tmp_path, axes, kind):
    pixels = planes(*(4, 3, 2, 5)[-len(axes) :])
    tifffile.imwrite(tmp_path / "a.tif", pixels, **{kind: True}, metadata={"axes": axes}, photometric="minisblack")
    stack = read_stack(tmp_path / "a.tif")
    assert stack.axes == axes[: axes.index("C")]
    np.testing.assert_array_equal(stack.pixels, np.moveaxis(pixels, -3, -1))


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_other_channels_are_refused(tmp_path, channels):
    tifffile.imwrite(tmp_path / "a.tif", planes(channels, 2, 5), imagej=True, metadata={"axes": "CYX"})
    with refused(tmp_path / "a.tif", f"{channels} channels"):
        read_stack(tmp_path / "a.tif")


def test_colours_in_separate_planes_of_a_stack(tmp_path):
    pixels = planes(4, 3, 2, 5)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", planarconfig="separate")
    stack = read_stack(tmp_path / "a.tif")
    assert stack.axes == "Q"
    np.testing.assert_array_equal(stack.pixels, np.moveaxis(pixels, 1, -1))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_compressed_pages(tmp_path, compression, dtype):
    pixels = planes(3, 4, 5, dtype=dtype)
    first, *others = [Image.fromarray(plane) for plane in pixels]
    first.save(tmp_path / "a.tif", save_all=True, append_images=others, compression=compression)
    stack = read_stack(tmp_path / "a.tif")
    assert stack.pixels.dtype == dtype
    np.testing.assert_array_equal(stack.pixels, pixels[..., None])


@pytest.mark.parametrize("compression", ["lzw", "zstd", "packbits", "lzma", "webp"])
def test_colours_of_any_lossless_compression(tmp_path, compression):
    lossless = {"compressionargs": {"lossless": True}} if compression == "webp" else {}
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb", compression=compression, **lossless)
    np.testing.assert_array_equal(read_stack(tmp_path / "a.tif").pixels, RGB)


def test_deep_colours_that_are_compressed(tmp_path):
    """Pillow would cut them to 8 bits."""
    pixels = planes(2, 3, 3, dtype=np.uint16) * 300
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", compression="lzw")
    np.testing.assert_array_equal(read_stack(tmp_path / "a.tif").pixels, pixels)


def test_an_unknown_compression_is_named(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, metadata=None)
    data = (tmp_path / "a.tif").read_bytes()
    plain, other = (struct.pack("<HHIH", 259, 3, 1, code) for code in (1, 32809))  # the tag of the compression
    assert data.count(plain) == 1
    (tmp_path / "a.tif").write_bytes(data.replace(plain, other))
    with refused(tmp_path / "a.tif", "compressed by THUNDERSCAN"):
        read_stack(tmp_path / "a.tif")


COMPRESSIONS = ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate", "zstd"]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_where_white_is_zero_images_are_those_that_viewers_show(tmp_path, dtype, compression):
    pixels = np.array([[0, 1, 7], [9, 200, 255]], dtype)
    file = tmp_path / "a.tif"
    Image.fromarray(np.iinfo(dtype).max - pixels).save(file, compression=compression, tiffinfo={262: 0})
    with tifffile.TiffFile(file) as opened:  # Pillow turns the values of 8 bits as it writes, and not those of 16
        assert opened.pages.first.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        stored = opened.asarray()
    np.testing.assert_array_equal(read_image(file)[..., 0], np.iinfo(dtype).max - stored)
    np.testing.assert_array_equal(read_labels(file), stored)  # ids are no greys


@pytest.mark.parametrize("photometric", ["miniswhite", "minisblack"])
@pytest.mark.parametrize("compression", [None, "lzw", "zstd", "ccitt_t6", "packbits"])
def test_masks_of_a_bit_are_those_that_viewers_show(tmp_path, photometric, compression):
    mask = np.zeros((6, 8), bool)
    mask[2:4, 2:5] = True
    if compression == "ccitt_t6":
        Image.fromarray(mask).save(tmp_path / "a.tif", compression="group4", tiffinfo={262: photometric[3] == "b"})
    else:
        stored = ~mask if photometric == "miniswhite" else mask
        tifffile.imwrite(tmp_path / "a.tif", stored, photometric=photometric, compression=compression)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), mask)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], mask)


def test_signed_and_float_values_stay_where_white_is_zero(tmp_path):
    for dtype in (np.int16, np.float32):
        tifffile.imwrite(tmp_path / "a.tif", GREY.astype(dtype), photometric="miniswhite")
        np.testing.assert_array_equal(read_stack(tmp_path / "a.tif").pixels[..., 0], GREY)


@pytest.mark.parametrize("given", [{}, {"metadata": None}, {"compression": "zlib"}])
@pytest.mark.parametrize("columns", [2, 3, 4])
def test_channels_that_are_stored_last(tmp_path, columns, given):
    """As `tifffile.imwrite` writes an (M, N, 2) array: M pages of N rows and 2 columns."""
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, planes(9, 8, columns), photometric="minisblack", planarconfig=None, **given)
    with refused(file, f"9 planes of 8 x {columns} px, which look like an image of {columns} channels"):
        read_stack(file)


def test_a_second_sample_is_a_channel_unless_it_is_alpha(tmp_path):
    pixels = planes(9, 8, 2)
    for kind, words in (("unspecified", "2 channels"), ("unassalpha", "")):
        given = {"planarconfig": "contig", "photometric": "minisblack", "extrasamples": [kind]}
        tifffile.imwrite(tmp_path / "a.tif", pixels, **given)
        if words:
            with refused(tmp_path / "a.tif", words):
                read_image(tmp_path / "a.tif")
        else:
            np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), pixels[..., :1])


@pytest.mark.parametrize("mode", ["RGB", "P", "CMYK"])
def test_no_tag_turns_the_pixels(tmp_path, mode):
    picture = Image.fromarray(RGB).convert(mode)
    picture.save(tmp_path / "plain.tif")
    picture.save(tmp_path / "tagged.tif", tiffinfo={274: 6})
    plain, tagged = (read_image(tmp_path / f"{name}.tif") for name in ("plain", "tagged"))
    np.testing.assert_array_equal(tagged, plain)


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_bytes_are_read_like_a_file(tmp_path, suffix):
    file = tmp_path / f"a.{suffix}"
    Image.fromarray(RGB).save(file)
    np.testing.assert_array_equal(read_stack(file.read_bytes()).pixels, read_stack(file).pixels)
    with pytest.raises(StudyError, match="the image has 6 pixels, of which 5 at most"):
        read_stack(file.read_bytes(), most_pixels=5)


def test_a_pipe_is_no_image(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with refused(tmp_path / "a.png", "no file but a pipe"):
        read_stack(tmp_path / "a.png")


def test_thumbnails_and_lower_resolutions_are_passed_over(tmp_path):
    pixels = planes(64, 48)
    for name, below in (("thumbnail", 0), ("pyramid", 1)):
        path = tmp_path / f"{name}.tif"
        with tifffile.TiffWriter(path) as file:
            file.write(pixels, subifds=below, metadata=None)
            file.write(pixels[::2, ::2], subfiletype=1, metadata=None)
        stack = read_stack(path)
        assert stack.axes == ""
        np.testing.assert_array_equal(stack.pixels, pixels[..., None])


def test_images_of_different_sizes_in_a_file(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(planes(4, 5))
        file.write(planes(4, 6))
    with refused(tmp_path / "a.tif", "2 images of several kinds"):
        read_stack(tmp_path / "a.tif")


def test_each_file_of_an_experiment_is_read_for_itself(tmp_path):
    """Two OME files of one frame each: both describe the whole, and tifffile would read both from either."""
    frames = planes(2, 4, 5)
    tifffile.imwrite(tmp_path / "whole.ome.tif", frames, metadata={"axes": "TYX"})
    with tifffile.TiffFile(tmp_path / "whole.ome.tif") as file:
        description = file.ome_metadata
    place = '<TiffData FirstT="{0}" IFD="0" PlaneCount="1"><UUID FileName="{0}.ome.tif">urn:uuid:{0}</UUID></TiffData>'
    start, end = description.index("<TiffData"), description.index("</Pixels>")
    description = description[:start] + place.format(0) + place.format(1) + description[end:]
    for t in range(2):
        own = re.sub('UUID="[^"]*"', f'UUID="urn:uuid:{t}"', description, count=1)
        tifffile.imwrite(tmp_path / f"{t}.ome.tif", frames[t], description=own.encode(), metadata=None, ome=False)
    with tifffile.TiffFile(tmp_path / "0.ome.tif") as file:
        assert file.series[0].is_multifile
    for t in range(2):
        stack = read_stack(tmp_path / f"{t}.ome.tif")
        assert stack.axes == ""
        np.testing.assert_array_equal(stack.pixels, frames[t][..., None])
    (tmp_path / "1.ome.tif").unlink()
    np.testing.assert_array_equal(read_stack(tmp_path / "0.ome.tif").pixels, frames[0][..., None])


@pytest.mark.parametrize("kind", ["imagej", "ome", "shaped"])
def test_a_stack_that_is_cut_off(tmp_path, kind):
    """The pages that are left must not pass for the whole."""
    path, pixels = tmp_path / "a.tif", planes(6, 40, 40)
    tifffile.imwrite(path, pixels, metadata={"axes": "ZYX"}, photometric="minisblack", **{kind: True})
    with tifffile.TiffFile(path) as file:
        end = file.pages.next_page_offset + 4  # of all pages; words about them come behind it
    data = path.read_bytes()
    for length in [*range(1, end, 61), end - 1]:
        path.write_bytes(data[:length])
        with refused(path, "damaged"):
            read_stack(path)
    path.write_bytes(data[:end])
    np.testing.assert_array_equal(read_stack(path).pixels, pixels[..., None])


def test_a_stack_of_single_pages_that_is_cut_off_between_them(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for plane in planes(6, 40, 40):
            file.write(plane, metadata=None, contiguous=False)
    with tifffile.TiffFile(path) as file:
        offset = file.pages[3].offset
    path.write_bytes(path.read_bytes()[:offset])
    with refused(path, "page 4 is cut off"):
        read_stack(path)


def test_colours_for_print_become_red_green_and_blue(tmp_path):
    ink = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # magenta and yellow: red
    ink.save(tmp_path / "a.jpg", quality=100)
    ink.save(tmp_path / "a.tif")
    for name in ("a.jpg", "a.tif"):
        pixels = read_stack(tmp_path / name).pixels
        assert pixels.shape == (8, 8, 3)
        assert (pixels[..., 0] > 200).all()
        assert (pixels[..., 1:] < 60).all()


def test_a_jpeg_with_previews_is_its_first_picture(tmp_path):
    picture, preview = (Image.new("RGB", size, (9, 9, 9)) for size in ((8, 6), (4, 3)))
    picture.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[preview])
    with Image.open(tmp_path / "a.jpg") as file:
        assert file.n_frames == 2
    assert read_stack(tmp_path / "a.jpg").pixels.shape == (6, 8, 3)


def test_an_animation_is_a_stack(tmp_path):
    frames = [Image.fromarray(GREY + i) for i in range(3)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    stack = read_stack(tmp_path / "a.png")
    assert stack.axes == "I"
    np.testing.assert_array_equal(stack.pixels[:, 0, 0, 0], [0, 1, 2])


@pytest.mark.parametrize("transparency", [0, bytes([0, 128])])
def test_palette_with_transparent_colours(tmp_path, transparency):
    indexed = Image.fromarray(GREY)
    indexed.putpalette([255 - i for i in range(256) for _ in range(3)])
    indexed.save(tmp_path / "a.png", transparency=transparency)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), 255 - GREY[..., None].repeat(3, 2))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_black_and_white(tmp_path, suffix):
    Image.fromarray(GREY > 2).save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}"), GREY[..., None] > 2)


def test_files_that_cannot_be_opened(tmp_path):
    (tmp_path / "empty.png").touch()
    with refused(tmp_path / "empty.png", "is empty"):
        read_stack(tmp_path / "empty.png")
    with refused(tmp_path / "absent.png", "does not exist"):
        read_stack(tmp_path / "absent.png")
    (tmp_path / "folder.png").mkdir()
    with refused(tmp_path / "folder.png", "is a folder"):
        read_stack(tmp_path / "folder.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    with refused(tmp_path / "loop.png", "symbolic links.*check the file"):
        read_stack(tmp_path / "loop.png")
    (tmp_path / "pointer.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with refused(tmp_path / "pointer.png", "pointer of Git LFS to one: fetch it by git lfs pull"):
        read_stack(tmp_path / "pointer.png")


def test_a_file_without_the_right_to_read_it(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    if os.geteuid() == 0:
        pytest.skip("root may read all files")
    (tmp_path / "a.png").chmod(0)
    with refused(tmp_path / "a.png", "may not be read"):
        read_stack(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "lzw.tif"])
def test_large_images_are_no_attack(tmp_path, monkeypatch, name):
    """For Pillow they are; its limit is lowered here."""
    Image.fromarray(GREY).save(tmp_path / name, **({"compression": "tiff_lzw"} if name == "lzw.tif" else {}))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    assert read_stack(tmp_path / name).pixels.shape == (2, 3, 1)
