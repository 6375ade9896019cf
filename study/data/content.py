"""What images hold, whatever their files are called: digests of decoded pixels, and the images that are equal."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

IMAGES = "images.csv"  # the table of all images, among the artifacts of a run that has trained a network
_NAMED = 5  # images that a sentence names


class ImageContent(NamedTuple):
    """Split and name of an image of a data set, and the digest of its pixels, see `content_of`."""

    split: str
    name: str
    content: str

    def __str__(self) -> str:
        return f"{self.name} ({self.split})"


def content_of(image: np.ndarray) -> str:
    """16 hexadecimal digits over the shape and the values of an image.

    An image that is stored anew, in another format or type of pixels, has the same content.
    """
    values = image.astype(np.float32) + np.float32(0)  # exact for a `Sample`; -0 becomes 0
    digest = hashlib.sha256(repr(values.shape).encode())
    digest.update(values.tobytes())
    return digest.hexdigest()[:16]


def equal_images(contents: Iterable[ImageContent]) -> list[tuple[ImageContent, ImageContent]]:
    """Each image whose content has occurred before, behind the first image of that content."""
    first: dict[str, ImageContent] = {}
    return [(first[image.content], image) for image in contents if first.setdefault(image.content, image) is not image]


def in_two_splits(contents: Iterable[ImageContent]) -> str:
    """A sentence that names the images which are in two splits; empty where there are none."""
    pairs = [(a, b) for a, b in equal_images(contents) if a.split != b.split]
    if not pairs:
        return ""
    subject = "1 image is" if len(pairs) == 1 else f"{len(pairs)} images are"
    return f"{subject} in two splits: {listed([f'{a} = {b}' for a, b in pairs])}."


def listed(names: Sequence[str]) -> str:
    """The first names, and how many others there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def as_csv(contents: Iterable[ImageContent]) -> str:
    """The table `IMAGES` of all images: `split`, `name` and `content`."""
    import pandas as pd  # here and below, so that to list the data sets does not take as long as to import it

    return pd.DataFrame(list(contents), columns=list(ImageContent._fields)).to_csv(index=False)


def from_csv(text: str) -> tuple[ImageContent, ...]:
    """The images in a table that `as_csv` has made; a ValueError or KeyError if it is no such table."""
    import pandas as pd

    table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)  # an image may be named NA
    return tuple(map(ImageContent._make, table[list(ImageContent._fields)].to_numpy()))
