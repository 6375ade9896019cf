"""What the pages of a single launch share."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from reports.blocks.launch_results import load_launch
from reports.blocks.launches import cover
from reports.blocks.page import Block, remarks
from study import tracking


class OneLaunch:
    """A page on a launch of an ablation, for one notebook.

    Parameters
    ----------
    store : str
        Address of the MLflow store.
    run_ids : str
        Parent run of the ablation.
    folder : str
        Where tables are written as CSV, figures as PDF and PNG.
    """

    ABLATION: ClassVar[str]

    def __init__(self, store: str, run_ids: str, folder: str):
        tracking.use_store(store)
        self.launch, self.folder = load_launch(run_ids.split(","), self.ABLATION), Path(folder)
        self.missing = list(self.launch.missing)

    def about(self) -> Block:
        """Which launch the page is made of, and what is missing of it."""
        return cover({self.ABLATION: self.launch}, {}) + remarks("Missing on this page:", self.missing)
