"""Arrays of many images that stand one after the other: in memory up to a bound, beyond it in temporary files."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import IO

import numpy as np
import torch

from study import allotment
from study.files import no_temporary_file

_SHARE = 0.5  # of the memory; networks, maps and the page cache need the rest


def memory_bound() -> int:
    """Bytes of images that this process may keep in memory.

    A part of the memory that is still allotted. Where other processes of a launch run beside this one, each has been
    given some of the cores, and the same share of the memory is its own.
    """
    share = min(1.0, torch.get_num_threads() / allotment.cores())
    return int(_SHARE * share * allotment.memory())


class FlatArrays:
    """Flat arrays that grow together, without any value being in memory twice.

    Parameters
    ----------
    bound : int
        Bytes; as soon as all arrays together are larger, they are moved into temporary files without names, which are
        gone with the arrays however the program ends.
    **dtypes : type
        Types of the arrays by their names; what is appended is brought to them.

    Attributes
    ----------
    size : int
        Bytes of all arrays.
    on_disk : bool
    """

    def __init__(self, bound: int, **dtypes: type):
        self._bound, self._dtypes = bound, dtypes
        # files in memory, too: they grow in place, where lists of arrays that are joined would need twice the memory
        self._files: dict[str, IO[bytes]] = {name: io.BytesIO() for name in dtypes}
        self.size, self.on_disk = 0, False

    def append(self, **arrays: np.ndarray) -> None:
        """Append the values of an array of any shape to those of the same name.

        Raises
        ------
        StudyError
            If there is no room on the disk.
        """
        with self._told():
            for name, array in arrays.items():
                values = np.ascontiguousarray(array, self._dtypes[name])
                self._files[name].write(values.data)
                self.size += values.nbytes
            if self.size > self._bound and not self.on_disk:
                self._move_to_disk()

    def _move_to_disk(self) -> None:
        for name, kept in self._files.items():
            assert isinstance(kept, io.BytesIO)
            file = tempfile.TemporaryFile()  # noqa: SIM115
            file.write(kept.getbuffer())
            self._files[name] = file
        self.on_disk = True

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays (values of all that was appended,), to which nothing can be appended any more."""
        with self._told():
            return {name: self._array(self._files.pop(name), dtype) for name, dtype in self._dtypes.items()}

    def _array(self, file: IO[bytes], dtype: type) -> np.ndarray:
        if isinstance(file, io.BytesIO):
            return np.frombuffer(file.getbuffer(), dtype)
        with file:
            file.flush()
            # an empty file cannot be mapped; r+, as torch warns of arrays that cannot be written
            return np.asarray(np.memmap(file, dtype, "r+")) if file.tell() else np.empty(0, dtype)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise no_temporary_file("images beyond the memory need", self.size, error) from error


def parts_of(array: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """The arrays of given shapes that stand in a flat one, one after the other, as views."""
    ends = np.cumsum([prod(shape) for shape in shapes], dtype=np.int64)
    return [array[end - prod(shape) : end].reshape(shape) for end, shape in zip(ends.tolist(), shapes, strict=True)]
