"""Maps of many images in one file, which is mapped into memory: what is not looked at takes none.

The file holds the arrays, one after the other, then an index of them in JSON, then length and checksum of the index.
"""

from __future__ import annotations

import json
import struct
import tempfile
import zlib
from collections.abc import Iterable
from typing import IO

import numpy as np

from study.files import no_temporary_file
from study.maps import ImageMaps

_ALIGNED = 64  # bytes; arrays begin at multiples of this
_END = struct.Struct("<QI")


def write_maps(file: IO[bytes], found: Iterable[tuple[int, ImageMaps]], made_of: str) -> None:
    """Write maps as they come, each with the index of its image; `made_of` tells what they were made of."""
    arrays, place = [], 0
    for i, maps in found:
        for name, array in maps.named.items():
            values = np.ascontiguousarray(array)
            place += file.write(bytes(-place % _ALIGNED))
            arrays.append([i, name, values.dtype.str, values.shape, place, zlib.crc32(values.data)])
            place += file.write(values.data)
    index = json.dumps({"made_of": made_of, "arrays": arrays}).encode()
    file.write(index + _END.pack(len(index), zlib.crc32(index)))


def read_maps(file: IO[bytes], made_of: str) -> list[ImageMaps] | None:
    """The maps in a file, in the order of the images, as arrays that are mapped into memory and cannot be written.

    None if they are made of something else. The whole file is read once, to see that it is as it was written.

    Raises
    ------
    ValueError
        Or another of `study.files.DAMAGED`, if it is not.
    """
    whole = np.asarray(np.memmap(file, np.uint8, "r"))
    length, checksum = _END.unpack(bytes(whole[-_END.size :]))
    index = bytes(whole[-_END.size - length : -_END.size])
    if zlib.crc32(index) != checksum:
        raise ValueError("its index has changed or is cut off")
    content = json.loads(index)
    if content["made_of"] != made_of:
        return None
    images: dict[int, dict[str, np.ndarray]] = {}
    for i, name, dtype, shape, start, checksum in content["arrays"]:
        size = np.dtype(dtype).itemsize * int(np.prod(shape))
        values = whole[start : start + size]
        if zlib.crc32(values.data) != checksum:
            raise ValueError(f"the {name} of image {i + 1} has changed")
        images.setdefault(i, {})[name] = values.view(dtype).reshape(shape)
    return [ImageMaps(images[i]) for i in range(len(images))]


def maps_on_disk(found: Iterable[tuple[int, ImageMaps]]) -> list[ImageMaps]:
    """Maps in the order of the images, kept in a temporary file that is gone with them.

    Raises
    ------
    StudyError
        If there is no room for it.
    """
    with tempfile.TemporaryFile() as file:
        try:
            write_maps(file, found, "")
            file.flush()
        except OSError as error:
            raise no_temporary_file("maps of many images need", file.tell(), error) from error
        maps = read_maps(file, "")
    assert maps is not None
    return maps
