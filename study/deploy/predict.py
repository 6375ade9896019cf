"""A folder of images -> a folder of labels; reading, the network and the clustering go on side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import pandas as pd
from tqdm import tqdm

from study import allotment
from study.data.files.microscopy import Part
from study.data.files.names import in_cell, printable
from study.deploy.assignment import Found, Job, Kind, TooLargeError, Wanted, predict_by
from study.deploy.exports import COCO, CocoImage, coco_images
from study.deploy.images import Planes, read_planes
from study.deploy.outputs import Outputs, Tables, read_labels_of, tables_of
from study.deploy.pipeline import ahead, low_threads
from study.errors import StudyError
from study.files import WriteError

_READERS = 2  # threads
_WORKERS = min(8, allotment.cores())  # threads for clustering and writing
_BYTES_AHEAD = 2**25  # of files that are read before the network wants them
_PIXELS_AHEAD = 2**23  # whose maps wait for the clustering, and again whose labels wait to be written
_Result = TypeVar("_Result")


class Model(Protocol):
    """What `predict` asks of a model."""

    @property
    def volumes(self) -> bool:
        """Whether the planes of a file are one volume; otherwise each is an image."""
        ...

    def maps(self, image: np.ndarray) -> Any:
        """The network's part, in the thread that called `predict`."""
        ...

    def labels(self, output: Any, foreground: np.ndarray | None = None) -> np.ndarray:
        """The clustering's part, in any thread: (M, N) int32 labels at the size of the image."""
        ...


def predict(
    model: Model,
    images: Path,
    out: Path,
    *,
    format: str = "png",
    overlay: bool = False,
    table: bool = False,
    overwrite: bool = False,
    part: Part | None = None,
    also: str = "",
) -> int:
    """Segment the images of a folder and write their labels.

    Images that have labels in `out` are left as they are, so that a call goes on where another was stopped; their part
    of the tables, and pictures that are missing, are made from these labels. The planes of a stack are segmented one by
    one, or by a model of volumes as a whole. What cannot be segmented leaves the rest alone.

    A file is in memory as a whole, and so are its labels. Beside them wait smaller ones: files of 32 MiB on the disk,
    maps of 8 million pixels, and labels of as many.

    Parameters
    ----------
    model : Model
    images : Path
        Folder or single file, see `find_images`.
    out : Path
        Folder for the labels, see `Outputs`; `output_names` tells how they are called.
    format : str
        "png" or "tif".
    overlay : bool
        Write pictures of the images with the outlines of their objects, too.
    table : bool
        Write ``objects.csv`` and ``counts.csv``, too, see `Tables`.
    overwrite : bool
        Segment images again that have labels.
    part : Part, optional
        Channel and scene of the files of microscopes.
    also : str
        Files for other tools, joined by commas, see `study.deploy.exports`: ``rois``, ``geojson`` and ``coco``.

    Returns
    -------
    int
        The number of files that failed; the exit status is 1 where it is not 0. A sentence on each is printed at the
        end.

    Raises
    ------
    StudyError
        If there is no image, or `out` cannot be written, from the start or later, as when the disk is full.
    """

    def here(wanted: Wanted, bar: tqdm) -> Found:
        return work_on(model, wanted, bar, _WORKERS)

    part = part or Part()
    return predict_by(
        here, images, out, format=format, overlay=overlay, table=table, overwrite=overwrite, part=part, also=also
    )


def work_on(model: Model, wanted: Wanted, bar: tqdm, threads: int) -> Found:
    """Segment files in this process, clustering and writing them in so many threads, and complete what lacks something.

    What has labels by now is not segmented again, unless all is wanted again.
    """
    outputs = wanted.outputs()
    fresh, incomplete = wanted.split(outputs)
    work = _Work(model, outputs, wanted, bar, threads)
    work.complete(incomplete)
    work.segment(fresh)
    return work.found


class _Plane(NamedTuple):
    """The plane `first` of an image, or the volume of so many planes from there."""

    job: Job
    planes: Planes
    first: int
    depth: int  # 0 for a plane

    @property
    def cost(self) -> int:
        """Pixels."""
        return self.pixels.size

    @property
    def pixels(self) -> np.ndarray:
        """(M, N, C) plane, or (P, M, N, C) volume."""
        images = self.planes.images
        return np.stack(images[self.first : self.first + self.depth]) if self.depth else images[self.first]


class _Segmented(NamedTuple):
    """An image with the labels of all its planes."""

    job: Job
    planes: Planes
    labels: list[np.ndarray]

    @property
    def cost(self) -> int:
        """Pixels."""
        return sum(labels.size for labels in self.labels)


class _Summary(NamedTuple):
    """What of an image is told and written at the end, as far as it is wanted."""

    objects: int
    tables: Tables | None
    coco: list[CocoImage] | None


class _Work:
    """Images at work; what came of them, and why some failed."""

    def __init__(self, model: Model, outputs: Outputs, wanted: Wanted, bar: tqdm, threads: int):
        self.model, self.outputs, self.wanted, self.bar, self.threads = model, outputs, wanted, bar, threads
        self.found = Found()

    def segment(self, jobs: Iterable[Job]) -> None:
        """Segment images. The network runs in the thread that calls this, when it asks for the next result."""
        with low_threads(_READERS) as readers, low_threads(self.threads) as workers:
            read = ahead(jobs, lambda job: readers.submit(read_planes, job.file, self.wanted.part), _BYTES_AHEAD)
            labelled = ahead(self._planes(read), lambda plane: self._labels(plane, workers), _PIXELS_AHEAD)
            images = self._images(labelled)
            written = ahead(images, lambda image: workers.submit(self._write, image), _PIXELS_AHEAD)
            self._gather((image.job, future) for image, future in written)

    def complete(self, jobs: Iterable[Job]) -> None:
        """Make the tables and the missing pictures of images from their labels."""
        with low_threads(self.threads) as workers:
            self._gather(ahead(jobs, lambda job: workers.submit(self._complete, job), _BYTES_AHEAD))

    def _planes(self, read: Iterable[tuple[Job, Future[Planes]]]) -> Iterator[_Plane]:
        for job, future in read:
            planes = self._outcome(job, future)
            if planes is None:
                continue
            self.found.kinds[job] = Kind.of(planes)
            depth = planes.depth if self.model.volumes else 0
            for first in range(0, len(planes.images), depth or 1):
                if job not in self.found.failures:
                    yield _Plane(job, planes, first, depth)

    def _labels(self, plane: _Plane, workers: ThreadPoolExecutor) -> Future[np.ndarray]:
        """Run the network, and have its maps clustered."""
        try:
            maps = self.model.maps(plane.pixels)
        except Exception as error:
            if isinstance(error, StudyError):
                error = StudyError(f"{plane.job.file}: {error}")
            failed: Future[np.ndarray] = Future()
            failed.set_exception(error)
            return failed
        return workers.submit(self.model.labels, maps)

    def _images(self, labelled: Iterable[tuple[_Plane, Future[np.ndarray]]]) -> Iterator[_Segmented]:
        """Images all of whose planes have labels; the planes of an image come in a row."""
        labels: list[np.ndarray] = []
        for (job, planes, first, _), future in labelled:
            if not first:
                labels = []
            found = self._outcome(job, future)
            if found is not None:
                labels += [found] if found.ndim == 2 else list(found)
            if len(labels) == len(planes.images):
                yield _Segmented(job, planes, labels)

    def _gather(self, written: Iterable[tuple[Job, Future[_Summary]]]) -> None:
        for job, future in written:
            summary = self._outcome(job, future)
            if summary is not None:
                self.found.objects[job] = summary.objects
                if summary.tables is not None:
                    self.found.tables[job] = summary.tables
                if summary.coco is not None:
                    self.found.coco[job] = summary.coco
            if job not in self.found.failures:
                self.bar.update()

    def _outcome(self, job: Job, future: Future[_Result]) -> _Result | None:
        """What came of a step for an image; None if it failed, which is noted, or had nothing to give."""
        try:
            return future.result()
        except WriteError:
            raise  # there will be no room for others either
        except TooLargeError:
            if job not in self.found.too_large:
                self.found.too_large.append(job)
            return None
        except StudyError as error:
            sentence = str(error)
        except Exception as error:  # the network and its clustering are not ours to foresee
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            sentence = f"{job.file} cannot be segmented ({reason}): leave it out, or cut it up if it is large"
        if job not in self.found.failures:
            self.found.failures[job] = sentence
            self.bar.update()
        return None

    def _write(self, image: _Segmented) -> _Summary:
        job, planes, labels = image
        self.outputs.write_labels(job.name, labels, planes)
        if self.wanted.overlay:
            self.outputs.write_overlay(job.name, labels, planes)
        self.outputs.write_exports(job.name, labels, planes)
        return self._summary(job, labels, planes)

    def _summary(self, job: Job, labels: list[np.ndarray], planes: Planes | None) -> _Summary:
        image, ids = printable(job.file.name), [set(pd.unique(plane.ravel()).tolist()) - {0} for plane in labels]
        return _Summary(
            len(set.union(*ids)) if self.model.volumes else sum(map(len, ids)),
            tables_of(in_cell(image), labels, planes.images) if planes is not None and self.wanted.table else None,
            coco_images(image, labels) if COCO in self.wanted.also else None,
        )

    def _complete(self, job: Job) -> _Summary:
        file = self.outputs.labels_of(job.name)
        if file is None:
            raise StudyError(f"the labels of {job.file} have vanished: call again to make them")
        labels = read_labels_of(file)
        planes, no_overlay = None, self.wanted.overlay and not self.outputs.has_overlay(job.name)
        if no_overlay or self.wanted.table or self.outputs.lacks_exports(job.name):
            planes = read_planes(job.file, self.wanted.part)
            if [plane.shape for plane in labels] != [image.shape[:2] for image in planes.images]:
                raise StudyError(f"{file} is not of the size of {job.file}: remove it, or set overwrite")
            if no_overlay:
                self.outputs.write_overlay(job.name, labels, planes)
            self.outputs.write_exports(job.name, labels, planes)
        return self._summary(job, labels, planes)
