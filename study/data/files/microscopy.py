"""Files of microscopes, read by bioio: OME-Zarr, CZI, ND2 and LIF."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from study.data.files.tiff import Stack
from study.errors import StudyError, first_line

if TYPE_CHECKING:
    from bioio import BioImage

SUFFIXES = (".zarr", ".czi", ".nd2", ".lif")
logging.getLogger("bioio").addHandler(logging.NullHandler())  # our sentences say what is wrong


@dataclass(frozen=True)
class Part:
    """Which part of a file is the image: a channel and a scene, by name or by number from 0; empty for the only one."""

    channel: str = ""
    scene: str = ""


class MicroscopeImage(NamedTuple):
    """Pixels of a file, and the size of a pixel.

    Attributes
    ----------
    stack : Stack
        Its axes are those of T and Z along which there are several planes.
    pixel_size : (float, float, float) or None
        Planes, rows and columns, in micrometres; planes are 1 apart where nothing is known of them.
    """

    stack: Stack
    pixel_size: tuple[float, float, float] | None


def read_microscopy(path: Path, part: Part | None = None) -> MicroscopeImage:
    """Pixels (T, Z, M, N, C) of a file at full resolution, without those of T and Z that have one plane.

    Raises
    ------
    StudyError
        If bioio or its reader is not installed, the file cannot be read, or it has several channels or scenes and
        `part` names none of them.
    """
    part = part or Part()
    try:
        from bioio import BioImage
        from bioio_base.exceptions import UnsupportedFileFormatError
    except ModuleNotFoundError as error:
        raise StudyError(
            f"{path} needs the package {error.name}: install the extra `formats`, by pip install -c requirements.lock "
            "-e '.[formats]'"
        ) from error
    if not path.exists():
        raise StudyError(f"{path} does not exist: check the path")
    try:
        image = BioImage(path)
        image.set_scene(_chosen("scene", part.scene, image.scenes, path))
        return MicroscopeImage(_stack(image, part.channel, path), _pixel_size(image))
    except StudyError:
        raise
    except UnsupportedFileFormatError as error:
        raise StudyError(
            f"cannot read {path}: replace the file, it is damaged, of another format, or of one whose reader is not "
            f"installed (pip install bioio-{path.suffix[1:]})"
        ) from error
    except MemoryError as error:
        raise StudyError(f"{path} does not fit into memory: cut it into smaller images") from error
    except Exception as error:  # readers of eight formats raise almost anything on damaged bytes
        raise StudyError(f"cannot read {path}: replace the file, it is damaged ({first_line(error)})") from error


def _stack(image: BioImage, channel: str, path: Path) -> Stack:
    colours = "S" in image.dims.order  # samples of a pixel, such as red, green and blue
    number = _chosen("channel", channel, image.channel_names or [""], path)
    pixels = image.get_image_data("TZYXS" if colours else "TZYX", C=number)
    if not colours:
        pixels = pixels[..., None]
    axes = "".join(name for name, count in zip("TZ", pixels.shape, strict=False) if count > 1)
    shape = [count for count in pixels.shape[:2] if count > 1]
    return Stack(pixels.reshape(*shape, *pixels.shape[2:]), axes)


def _chosen(kind: str, wanted: str, names: list[str] | tuple[str, ...], path: Path) -> int:
    """The number of the channel or scene that is wanted, among those of a file."""
    if not wanted and len(names) == 1:
        return 0
    if wanted in names:
        return list(names).index(wanted)
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    has = f"{path} has the {kind}s {', '.join(names)}"
    if not wanted:
        raise StudyError(f"{has}: choose one by --{kind}")
    raise StudyError(f"{has}, and none is called {wanted}: correct --{kind}")


def _pixel_size(image: BioImage) -> tuple[float, float, float] | None:
    found = image.physical_pixel_sizes
    return (found.Z or 1.0, found.Y, found.X) if found.Y and found.X else None
