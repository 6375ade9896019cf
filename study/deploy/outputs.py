"""What is written for images: labels, pictures of them, tables of their objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tifffile
from PIL import Image
from skimage.measure import regionprops_table

from study.data.files.names import composed
from study.data.files.reading import as_labels
from study.data.files.stacks import read_stack
from study.deploy.exports import EXPORTS
from study.deploy.images import Planes
from study.errors import StudyError, unknown_name
from study.figures import outlined
from study.files import check_writable, given_path, write_atomically

FORMATS = ("png", "tif")
_AXES_OF_IMAGEJ = ("", "Z", "T", "TZ")  # a stack of other axes is written as slices
_SIDE = 512  # px, of a picture of outlines at least
_SHOWN = "%.7g"  # numbers in tables
_COLUMNS = {
    "area": "area_px",
    "equivalent_diameter_area": "diameter_px",
    "centroid-0": "centroid_row",
    "centroid-1": "centroid_column",
    "bbox-0": "first_row",
    "bbox-1": "first_column",
    "bbox-2": "end_row",
    "bbox-3": "end_column",
}

_MEASURED = ("label", "area", "equivalent_diameter_area", "eccentricity", "intensity_mean", "centroid", "bbox")


def output_names(files: Sequence[Path]) -> list[str]:
    """A name without ending for what is written for each of the files of a folder; all are different.

    ``cell`` for ``cell.tif`` and for ``cell.ome.tif``. Where two files would share a name, each keeps its ending:
    ``cell.tif`` and ``cell.png``. Capitals make no difference, since in some file systems they do not.
    """
    stems = [file.stem.removesuffix(".ome") for file in files]
    taken = Counter(map(_folded, stems)) + Counter(_folded(file.name) for file in files)
    return [stem if taken[_folded(stem)] == 1 else file.name for stem, file in zip(stems, files, strict=True)]


def _folded(name: str) -> str:
    """The one name that a file system may take different names for."""
    return composed(name).casefold()


class Outputs:
    """The folder that labels are written into, with folders of pictures and of exports in it.

    A file gets its name when it is whole: what is stopped before leaves none, or one that ends in ``.partial``.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    format : str
        One of `FORMATS`. A stack, and labels above 65 535, become TIFF all the same.
    images : sequence of Path
        What is read. None of it may be in `folder`, where labels could take its name.
    exports : sequence of str
        Keys of `EXPORTS` that are written, too; others are passed over.

    Raises
    ------
    StudyError
        If the format is unknown, or the folder holds the images or cannot be written.
    """

    def __init__(self, folder: Path, format: str, images: Sequence[Path], exports: Sequence[str] = ()):
        if format not in FORMATS:
            raise unknown_name("format", format, FORMATS)
        self.folder, self.format = given_path(folder), format
        self.overlays = self.folder / "overlays"
        self.exports = [name for name in exports if name in EXPORTS]
        if self.folder.resolve() in {image.resolve().parent for image in images}:
            raise StudyError(
                f"{self.folder} holds the images: give another folder for the labels, such as {self.folder / 'labels'}"
            )
        check_writable(self.folder)

    def labels_of(self, name: str) -> Path | None:
        """The file with the labels of an image, if there is one."""
        return _existing(self.folder, name)

    def has_overlay(self, name: str) -> bool:
        """Whether there is a picture of an image."""
        return _existing(self.overlays, name) is not None

    def lacks_exports(self, name: str) -> bool:
        """Whether one of the exports of an image is missing."""
        return any(not self._export(kind, name).exists() for kind in self.exports)

    def write_labels(self, name: str, labels: Sequence[np.ndarray], planes: Planes) -> None:
        """Write the labels of an image, in place of those that are there, and of their picture and exports.

        16 bits where the ids allow it, else int32. TIFF is compressed, and described in the way of ImageJ, so that
        slices and frames are those of the image, and greys go from 0 to the largest id.

        Parameters
        ----------
        name : str
            See `output_names`.
        labels : sequence of (M, N) int arrays
            One for each plane, ids from 0 to 2^31 - 1.
        planes : Planes
            The image.

        Raises
        ------
        WriteError
            If it cannot be written.
        """
        largest = max(int(plane.max()) for plane in labels)
        dtype = np.uint16 if largest <= np.iinfo(np.uint16).max else np.int32
        pixels = np.stack([plane.astype(dtype) for plane in labels])
        as_tiff = self.format == "tif" or bool(planes.axes) or dtype is np.int32
        self._write(self.folder, name, pixels, planes if as_tiff else None, largest)

    def write_overlay(self, name: str, labels: Sequence[np.ndarray], planes: Planes) -> None:
        """Write an image with the outlines of its objects into the folder ``overlays``: PNG, or TIFF of a stack.

        Parameters and errors are those of `write_labels`.
        """
        least = 0 if planes.axes else _SIDE  # the pixels of a stack may have a size, which it keeps
        pairs = zip(planes.images, labels, strict=True)
        pixels = np.stack([outlined(image, plane, least) for image, plane in pairs])
        self._write(self.overlays, name, pixels, planes if planes.axes else None, 255)

    def write_exports(self, name: str, labels: Sequence[np.ndarray], planes: Planes) -> None:
        """Write the exports of an image, each into the folder of its name.

        Parameters and errors are those of `write_labels`.
        """
        for kind in self.exports:
            with write_atomically(self._export(kind, name)) as partial:
                EXPORTS[kind].write(partial, labels, planes)

    def _export(self, kind: str, name: str) -> Path:
        return self.folder / kind / f"{name}.{EXPORTS[kind].ending}"

    def _write(self, folder: Path, name: str, pixels: np.ndarray, stack: Planes | None, largest: int) -> None:
        """Write pixels (planes, M, N) or (planes, M, N, 3) as a TIFF with the axes of `stack`, else as a PNG."""
        file = folder / f"{name}.{'png' if stack is None else 'tif'}"
        with write_atomically(file) as partial:
            if stack is None:
                Image.fromarray(pixels[0]).save(partial, "PNG", compress_level=1)  # 6 takes longer than all the rest
            else:
                _write_tiff(partial, pixels, stack, largest)
            for outdated in (folder, self.overlays):  # of the other format, too, and pictures of other labels
                for ending in FORMATS:
                    (outdated / f"{name}.{ending}").unlink(missing_ok=True)
            if folder == self.folder:
                for kind in EXPORTS:
                    self._export(kind, name).unlink(missing_ok=True)


def _existing(folder: Path, name: str) -> Path | None:
    return next((file for ending in FORMATS if (file := folder / f"{name}.{ending}").exists()), None)


def _write_tiff(file: Path, pixels: np.ndarray, stack: Planes, largest: int) -> None:
    axes, sizes = (stack.axes, stack.shape) if stack.axes in _AXES_OF_IMAGEJ else ("Z", (len(pixels),))
    axes, pixels = axes + "YXS"[: pixels.ndim - 1], pixels.reshape(*sizes, *pixels.shape[1:])
    size, resolution = {}, None
    if stack.pixel_size is not None:
        depth, height, width = stack.pixel_size
        size, resolution = {"unit": "um", "spacing": depth}, (1 / width, 1 / height)
    tifffile.imwrite(
        file,
        pixels,
        photometric="rgb" if axes.endswith("S") else "minisblack",
        compression="zlib",
        metadata=None,
        # `imagej=True` would refuse int32, which ImageJ itself reads
        description=tifffile.imagej_description(pixels.shape, axes=axes, min=0, max=largest, **size),
        resolution=resolution,
    )


def read_labels_of(file: Path) -> list[np.ndarray]:
    """(M, N) int32 labels of the planes of a file that `Outputs.write_labels` has written, or a StudyError."""
    pixels, _ = read_stack(file, ids=True)
    return [as_labels(plane, file) for plane in pixels.reshape(-1, *pixels.shape[-3:])]


class Tables(NamedTuple):
    """Objects of images.

    Attributes
    ----------
    objects : DataFrame
        A row for each object: `image`, the name of the file; `plane`, counted from 0, and none where the image is no
        stack; `label`, its id there; `area_px`; `diameter_px` of a circle of that area; `eccentricity` of the ellipse
        with its second moments, 0 for a circle; `intensity_mean`, as the file has it, over all channels;
        `centroid_row`, `centroid_column`, px from the middle of the first pixel; and the box around it, `first_row`,
        `first_column`, `end_row`, `end_column`, whose ends lie outside.
    counts : DataFrame
        A row for each image, or plane of a stack: `image`, `plane`, `objects`, the number of them.
    """

    objects: pd.DataFrame
    counts: pd.DataFrame


def tables_of(image: str, labels: Sequence[np.ndarray], pixels: Sequence[np.ndarray]) -> Tables:
    """Tables of one image, from the (M, N) int labels and the (M, N, C) pixels of its planes, of a stack several."""
    objects, counts = [], []
    for plane, (ids, shown) in enumerate(zip(labels, pixels, strict=True)):
        number = plane if len(labels) > 1 else None
        found = pd.DataFrame(regionprops_table(ids, shown.mean(axis=2, dtype=np.float32), properties=_MEASURED))
        found = found.rename(columns=_COLUMNS).astype({"area_px": np.int64})
        found.insert(0, "plane", pd.array([number] * len(found), "Int64"))
        objects.append(found)
        counts.append((number, len(found)))
    tables = Tables(pd.concat(objects), pd.DataFrame(counts, columns=["plane", "objects"]).astype("Int64"))
    for table in tables:
        table.insert(0, "image", image)
    return tables


def write_tables(folder: Path, tables: Sequence[Tables]) -> None:
    """Write ``objects.csv`` and ``counts.csv`` of many images; a WriteError if they cannot be written.

    Where no image is a stack, they have no column `plane`.
    """
    for name in Tables._fields:
        table = pd.concat([getattr(table, name) for table in tables])
        if table["plane"].isna().to_numpy().all():
            table = table.drop(columns="plane")
        with write_atomically(folder / f"{name}.csv") as partial:
            table.to_csv(partial, index=False, float_format=_SHOWN)
