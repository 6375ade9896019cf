"""All claims of the papers with the verdict of the newest launch of each question."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ablations import all_claims
from reports.blocks.launch_page import cover
from reports.blocks.launch_results import load_launches
from reports.blocks.page import Block, heading, paragraph, remarks
from reports.blocks.verdicts import verdict_table, verdicts_of
from study import tracking
from study.ablation.verdicts import CANNOT_TELL, NOT_REPRODUCED, NOT_TESTED, REPRODUCED, Verdict, untested


class Claims:
    """The table, for one notebook; for the parameters see `LaunchPage`."""

    def __init__(self, store: str, run_ids: str, folder: str):
        tracking.use_store(store)
        self.launches, self.folder = load_launches(run_ids.split(",")), Path(folder)

    def verdicts(self) -> list[Verdict]:
        """Those of the launches, and *not tested here* for claims without one, in the order of the papers."""
        found: dict[str, list[Verdict]] = {}
        for launch in self.launches.values():
            for verdict in verdicts_of(launch):
                found.setdefault(verdict.claim.key, []).append(verdict)
        missing = {claim.key: [untested(claim, _reason(claim.question, claim.note))] for claim in all_claims()}
        return [verdict for key, none in missing.items() for verdict in found.get(key, none)]

    def about(self) -> Block:
        """How many verdicts there are of each kind, and all of them."""
        judged = self.verdicts()
        counts = Counter(verdict.word for verdict in judged)
        words = (REPRODUCED, NOT_REPRODUCED, CANNOT_TELL, NOT_TESTED)
        claims = len({verdict.claim.key for verdict in judged})
        summary = ", ".join(f"{word}: {counts[word]}" for word in words)
        text = f"{claims} claims, {len(judged)} verdicts (one for each score by which a claim is judged): {summary}."
        return paragraph(text) + verdict_table(judged, self.folder)

    def about_launches(self) -> Block:
        """The launches that the verdicts are from, and what is missing of them."""
        missing = [f"{name}: {text}" for name, launch in self.launches.items() for text in launch.missing]
        block = cover(self.launches.values(), []) + remarks("Missing runs:", missing)
        return heading("Launches") + block


def _reason(question: str, note: str) -> str:
    return f"no launch of {question} in this store" if question and not note else note
