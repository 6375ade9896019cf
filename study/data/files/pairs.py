"""Listing what is shared by the layouts: a root folder, and files that belong together by a key of their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np

from study.data.dataset import Record
from study.data.files.names import in_words, printable, stem_of
from study.data.files.reading import IMAGE_SUFFIXES, SUFFIXES, read_image, read_labels
from study.data.settings import Data
from study.errors import StudyError
from study.files import given_path

Files = dict[str, list[Path]]


def root_of(data: Data, content: str) -> Path:
    """The data set's root folder; a StudyError if there is none, which says that it is the folder with `content`."""
    if not data.root:
        raise StudyError(f"data set {data.name} needs data_root: the folder with {content}")
    root = given_path(data.root)
    if not root.is_dir():
        raise StudyError(f"data_root {root} is not a folder: give the one with {content}")
    return root


def folders_in(root: Path, *names: str) -> list[Path]:
    """Those of the subfolders `names` of `root` that exist, in capitals or not."""
    there = {path.name: path for path in sorted(root.iterdir()) if path.is_dir()}
    folded = {name.casefold(): path for name, path in there.items()}
    return [found for name in names if (found := there.get(name) or folded.get(name.casefold()))]


def folder_in(root: Path, *names: str) -> Path:
    """The first of the subfolders `names` of `root` that exists, see `folders_in`; a StudyError if none does."""
    for folder in folders_in(root, *names):
        return folder
    raise StudyError(
        f"{root} has no folder {' or '.join(names)} (it holds {in_words(root)}): point data_root at the folder that "
        "holds it"
    )


def keyed(folder: Path, key: Callable[[Path], str | None] = stem_of) -> Files:
    """Key -> PNG, TIFF and JPEG files of a folder, both sorted; hidden files and those with key None are skipped.

    A JPEG counts only where there is nothing else of its key: it may be a preview. A StudyError if a name is no text.
    """
    result: Files = {}
    files = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    for path in files:
        if printable(path.name) != path.name:
            raise StudyError(f"{printable(str(path))} has a name that is no UTF-8: rename it")
    for path in sorted(files, key=lambda path: (path.suffix.lower() not in SUFFIXES, path)):
        if path.name.startswith(".") or (name := key(path)) is None:
            continue
        if path.suffix.lower() in SUFFIXES or all(
            other.suffix.lower() not in SUFFIXES for other in result.get(name, ())
        ):
            result.setdefault(name, []).append(path)
    return dict(sorted(result.items()))


def paired(
    images: Files,
    labels: Files,
    folders: tuple[Path, Path],
    names: Iterable[str] | None = None,
    prefix: str = "",
    image: Callable[[Path], np.ndarray] = read_image,
    label: Callable[[Path], np.ndarray] = read_labels,
) -> tuple[Record, ...]:
    """Records of the image and label files with equal keys.

    A missing or doubled partner becomes the record's fault, so that a check can list all of them.

    Parameters
    ----------
    images, labels : dict
        Key -> files, from `keyed`.
    folders : tuple of Path
        Where images and labels are, for the sentences.
    names : iterable of str, optional
        Keys wanted, in their order; default: all keys of both, sorted.
    prefix : str
        Put before the key to make the record's name.
    image, label : callable
        Read an image, and its labels, from their paths.

    Raises
    ------
    StudyError
        If not a single pair is there.
    """
    if not images.keys() & labels.keys():
        raise StudyError(_no_pair(images, labels, folders))
    records = []
    for name in sorted(images.keys() | labels.keys()) if names is None else names:
        found = images.get(name, []), labels.get(name, [])
        files = tuple(path for paths in found for path in paths)
        fault = _fault(name, found, folders)
        read = partial(_read_both, image, label, *files)
        records.append(Record(prefix + name, read, files, fault, partial(image, *files[:1])))
    return tuple(records)


def faulty(name: str, found: tuple[Files, Files], folders: tuple[Path, Path]) -> Record:
    """The record of an image that is missing, doubled or without labels, which its `fault` tells."""
    images, labels = found[0].get(name, []), found[1].get(name, [])
    fault = _fault(name, (images, labels), folders)
    return Record(name, partial(_read_both, read_image, read_labels), tuple(images), fault)


def _no_pair(images: Files, labels: Files, folders: tuple[Path, Path]) -> str:
    """Why not a single image has labels."""
    for found, folder, what in zip((images, labels), folders, ("image", "label image"), strict=True):
        if not found and folders[0] != folders[1]:
            kinds = "images as PNG, TIFF or JPEG" if what == "image" else "labels as PNG or TIFF"
            return f"{folder} holds no {what} that can be read (it holds {in_words(folder)}): save {kinds}"
    examples = [paths[0].name for found in (images, labels) for paths in list(found.values())[:1]]
    return (
        f"no image in {folders[0]} has labels of the same name in {folders[1]} (there is {' and '.join(examples)}): "
        "name both alike, or check data_root"
    )


def _read_both(image: Callable, label: Callable, *files: Path) -> tuple[np.ndarray, np.ndarray]:
    return image(files[0]), label(files[1])


def _fault(name: str, found: tuple[list[Path], list[Path]], folders: tuple[Path, Path]) -> str:
    (images, labels), (image_folder, label_folder) = found, folders
    for paths in found:
        if len(paths) > 1:
            return f"{' and '.join(map(str, paths))} have one name: remove all but one"
    if images and not labels:
        return f"{images[0]} has no labels in {label_folder}: add them or remove the image"
    if labels and not images:
        return f"{labels[0]} has no image in {image_folder}: add it or remove the labels"
    return "" if images else f"{name} is listed, but neither {image_folder} nor {label_folder} has it: fix the list"
