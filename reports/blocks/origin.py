"""What a page is from, in one folded block: profile, budget, loss, data, foreground rule, departures from the paper."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, stacked, table_block, text_column
from study.origin import Origin, origin_of
from study.runs.job import variant_name

_DEPARTURES = "Departures from the paper. Ours: no text has the value that stands for the paper's, see docs/choices.md."


def origin_block(origin: Origin, name: str = "") -> Block:
    """The block, whose line to unfold it says the whole in a sentence; `name` stands before that."""
    title = f"{name}: {origin.summary}" if name else origin.summary
    parts = [
        table_block(
            [
                text_column("", [title for title, _ in origin.facts]),
                text_column("", [text for _, text in origin.facts]),
            ],
            "What the numbers are from.",
            folds=True,
        )
    ]
    if origin.departures:
        settings, here, paper, variants = zip(*origin.departures, strict=True)
        columns = [text_column("setting", settings, "<code>{}</code>"), text_column("here", here)]
        columns.append(text_column("in the paper", paper))
        columns += [text_column("variants", variants)] if any(variants) else []
        parts.append(table_block(columns, _DEPARTURES, folds=True))
    return Block(f"<details><summary>{escape(title)}</summary>{stacked(parts).html}</details>")


def launch_origins(launches: Iterable[LaunchResults]) -> Block:
    """A block for each launch that keeps settings; with several, each begins with the name of its question."""
    launches = list(launches)
    blocks = []
    for launch in launches:
        if variants := launch.settings_by_variant:
            ablation = launch.ablation
            asked = {"varied": ablation.varied_names(), "fixed": ablation.fixed}
            note = launch.parent.tags.get("split_note", "")
            origin = origin_of(variants, variant_name(ablation.control), launch.images, note=note, **asked)
            blocks.append(origin_block(origin, ablation.name if len(launches) > 1 else ""))
    return stacked(blocks)
