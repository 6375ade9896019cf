import unicodedata
from pathlib import Path

from study.data.files.names import composed, in_cell, in_words, path_from, printable, stem_of


def test_stems():
    assert [stem_of(Path(name)) for name in ("a.png", "a.ome.tif", "a.b.tif")] == ["a", "a", "a.b"]
    assert stem_of(Path(unicodedata.normalize("NFD", "ü.png"))) == "\u00fc" == composed("u\u0308")


def test_paths_of_other_systems():
    assert [path_from(name).name for name in ("a/b.png", "C:\\set\\b.png", " b.png ")] == ["b.png"] * 3


def test_what_a_folder_holds(tmp_path):
    assert in_words(tmp_path) == "nothing"
    for name in ("a.bmp", "b.BMP", "c", ".hidden", "Thumbs.db", "desktop.ini", "d.png"):
        (tmp_path / name).touch()
    (tmp_path / "e").mkdir()
    words = in_words(tmp_path).split(", ")
    assert words[0] == "2 files .bmp"
    assert set(words[1:]) == {"1 file .png", "1 file without ending", "1 folder"}
    assert ".png" not in in_words(tmp_path, lambda path: path.suffix == ".png")


def test_names_that_are_no_text_can_be_written():
    assert printable("latin\udce9.png") == "latin\ufffd.png"
    assert printable("ü.png") == "ü.png"


def test_names_that_a_spreadsheet_would_compute():
    assert [in_cell(name) for name in ("=cmd|x.png", "-5um.tif", "+1.png", "@a.png", "a=b.png")] == [
        *("./=cmd|x.png", "./-5um.tif", "./+1.png", "./@a.png", "a=b.png"),
    ]
