"""What is counted and measured of the images of a data set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from skimage.measure import label

from study.data.dataset import Record, Sample

PERCENTILES = (1, 25, 50, 75, 99)  # of the values of an image
TINY = 2  # pixels that an object has at most of which there is hardly one
_MANY = 10  # ids of an image, from which on it can be told whether they are those of objects
_VALUES = 10**6  # of an image from which its percentiles are taken


class ImageFacts(NamedTuple):
    """What is counted of an image."""

    name: str
    size: tuple[int, ...]  # rows and columns, of a volume planes before them
    dtype: str
    channels: int
    areas: tuple[int, ...]  # pixels of each id
    in_components: int  # ids that are not 8-connected
    crumbled: int  # ids in several components, or of at most two pixels
    brightness: tuple[float, ...]  # `PERCENTILES` of all values

    @classmethod
    def of(cls, sample: Sample) -> ImageFacts:
        """The facts of a sample."""
        components = np.asarray(label(sample.labels, connectivity=2, background=0))
        first_pixels = np.unique(components, return_index=True)[1]
        id_of_component = sample.labels.ravel()[first_pixels]
        components_of_id = np.unique(id_of_component[id_of_component > 0], return_counts=True)[1]
        areas = np.unique(sample.labels[sample.labels > 0], return_counts=True)[1]
        *size, channels = sample.image.shape
        in_components = components_of_id > 1
        crumbled = in_components | (areas <= TINY)
        return cls(
            sample.name,
            tuple(size),
            str(sample.image.dtype),
            channels,
            tuple(areas.tolist()),
            int(in_components.sum()),
            int(crumbled.sum()),
            _brightness(sample.image),
        )

    @property
    def objects(self) -> int:
        """The number of ids."""
        return len(self.areas)

    @property
    def tiny(self) -> int:
        """The number of ids of at most `TINY` pixels."""
        return sum(area <= TINY for area in self.areas)

    @property
    def is_crumbled(self) -> bool:
        """Whether ids look like grey values in between: many, and most of them in pieces or of a pixel or two."""
        return self.objects >= _MANY and 2 * self.crumbled > self.objects


def _brightness(image: np.ndarray) -> tuple[float, ...]:
    """The percentiles of an image, of a large one from pixels at equal distances."""
    values = image.reshape(-1, image.shape[-1])[:: max(1, image.size // _VALUES)]
    return tuple(np.percentile(values, PERCENTILES).tolist())


@dataclass(frozen=True)
class SplitReport:
    """The images that a split lists, and the facts of those that can be read."""

    split: str
    records: tuple[Record, ...]
    facts: tuple[ImageFacts, ...]

    def __str__(self) -> str:
        if not self.facts:
            return f"{self.split:5} {len(self.records):5} images, none readable"
        by_area = sorted((fact.size for fact in self.facts), key=math.prod)
        sizes = " to ".join(dict.fromkeys(" x ".join(map(str, size)) for size in (by_area[0], by_area[-1])))
        dtypes, channels = sorted({fact.dtype for fact in self.facts}), sorted({fact.channels for fact in self.facts})
        objects = [fact.objects for fact in self.facts]
        total, groups = sum(objects), len({record.group for record in self.records})
        return (
            f"{self.split:5} {len(self.facts):5} images of {sizes} px, {' or '.join(dtypes)}, "
            f"{' or '.join(map(str, channels))} channel{'s' if max(channels) > 1 else ''}; "
            f"{total} objects: {min(objects)} to {max(objects)} per image, mean {total / len(objects):.1f}; "
            f"{objects.count(0)} without objects; "
            f"{sum(fact.in_components for fact in self.facts) / max(total, 1):.1%} of the ids in several components"
            + (f"; {groups} groups" if groups < len(self.records) else "")
        )
