"""Listing what is shared by the layouts: a root folder, and files that belong together by a key of their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np

from study.data.dataset import Record
from study.data.files.reading import SUFFIXES, read_image, read_labels
from study.data.settings import Data
from study.errors import StudyError

Files = dict[str, list[Path]]


def root_of(data: Data, content: str) -> Path:
    """The data set's root folder; a StudyError if there is none, which says that it is the folder with `content`."""
    if not data.root:
        raise StudyError(f"data set {data.name} needs data_root: the folder with {content}")
    root = Path(data.root).expanduser()
    if not root.is_dir():
        raise StudyError(f"data_root {root} is not a folder: give the one with {content}")
    return root


def folder_in(root: Path, *names: str) -> Path:
    """The first of the subfolders `names` of `root` that exists; a StudyError if none does."""
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise StudyError(f"{root} has no folder {' or '.join(names)}: point data_root at the folder that holds it")


def keyed(folder: Path, key: Callable[[Path], str | None] = lambda path: path.stem) -> Files:
    """Key -> PNG and TIFF files of a folder, both sorted; hidden files and those with key None are skipped."""
    result: Files = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and (name := key(path)) is not None:
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
        raise StudyError(f"no image in {folders[0]} has labels of the same name in {folders[1]}: check data_root")
    records = []
    for name in sorted(images.keys() | labels.keys()) if names is None else names:
        found = images.get(name, []), labels.get(name, [])
        files = tuple(path for paths in found for path in paths)
        fault = _fault(name, found, folders)
        read = partial(_read_both, image, label, *files)
        records.append(Record(prefix + name, read, files, fault, partial(image, *files[:1])))
    return tuple(records)


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
