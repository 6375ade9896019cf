"""The first words of a page about the paper: the launches it is made of, and what it does not cover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, Column, paragraph, table_block


def cover(found: Mapping[str, LaunchResults], parts: Mapping[str, str], further: Sequence[str] = ()) -> Block:
    """A table of the launches, and once the parts of the paper that the page leaves out.

    Parameters
    ----------
    found : dict of LaunchResults
        By name of the ablation.
    parts : dict of str
        Name of an ablation -> the part of the paper that it redoes.
    further : sequence of str
        Other parts that are left out, with the reason.
    """
    launches = list(found.values())
    columns = [
        Column("ablation", [launch.ablation.name for launch in launches], numeric=False),
        Column("data set", [escape(launch.dataset) for launch in launches], numeric=False),
        Column("started (UTC)", [day(launch.parent.started) for launch in launches], numeric=False),
        Column("state", [launch.parent.state for launch in launches], numeric=False),
        Column("runs with scores", [_count(launch) for launch in launches]),
        Column("parent run", [f"<code>{launch.parent.run_id}</code>" for launch in launches], numeric=False),
    ]
    absent = [f"{part} (no launch of {name} is given)" for name, part in parts.items() if name not in found]
    absent += further
    words = paragraph(f"Not on this page: {'; '.join(absent)}.", "soft") if absent else Block("")
    return table_block(columns, "The launches on this page.") + words


def day(milliseconds: int) -> str:
    """A time in milliseconds since 1970 as date and minute, UTC."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M}"


def _count(launch: LaunchResults) -> str:
    planned = len(launch.ablation.variants()) * max(1, launch.seed_count)
    return f"{len(launch.results)} of {planned}"
