"""Which of the images that a network is to be scored on it was made with, by what they hold and not by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from study import tracking
from study.data.content import IMAGES, ImageContent, from_csv, listed
from study.data.settings import Data
from study.errors import StudyError
from study.runs.resources import contents, opened
from study.runs.resources import data_digest as digest_of_data
from study.tracking import FinishedRun


def seen_before(run_id: str, trained: FinishedRun, data_digest: str, data: Data, split: str) -> str:
    """A sentence that names the images of a split which a run was made with, or says that this is unknown.

    A run was made with its training images, and with the validation images that its thresholds were searched on or,
    with `training.checkpoint=best`, its weights chosen. These may be scored where validation images are asked for.

    Parameters
    ----------
    run_id : str
    trained : FinishedRun
    data_digest : str
        Of the data of the run.
    data : Data
        The data set to be scored.
    split : str

    Returns
    -------
    str
        Without a full stop; empty where the run has seen none of the images.
    """
    asked = opened(data).contents(split)
    try:
        used = _images_of(trained, data_digest, data.root)
    except StudyError as error:
        return f"it is unknown which images run {run_id} was trained on, since it keeps no {IMAGES} and {error}"
    chosen = trained.settings.tuning.trials or trained.settings.training.checkpoint == "best"
    used_splits = ("train", "val") if chosen and split != "val" else ("train",)
    first = {image.content: image for image in reversed(used) if image.split in used_splits}
    seen = [(image, first[image.content]) for image in asked if image.content in first]
    if not seen:
        return ""
    names = [f"{a.name} = {b}" if a.name != b.name else str(b) for a, b in seen]
    training = sum(b.split == "train" for _, b in seen)
    return (
        f"{len(seen)} of the {len(asked)} {split} images were used to train run {run_id} ({training}) or to choose its "
        f"thresholds or weights ({len(seen) - training}), namely {listed(names)}"
    )


def _images_of(trained: FinishedRun, data_digest: str, root: str) -> Sequence[ImageContent]:
    """The images of a run: as it keeps them, or else of its data set, where that was or in the folder `root`."""
    if (text := tracking.stored_text(trained.holder, IMAGES)) is not None:
        return from_csv(text)
    own, reasons = trained.settings.data, []
    for data in dict.fromkeys((own, replace(own, root=root))):
        try:
            if digest_of_data(data) == data_digest:
                return contents(data)
            reasons.append(f"the images of {data.root or data.name} have changed since")
        except StudyError as error:
            reasons.append(str(error))
    raise StudyError("; ".join(reasons))
