"""The study in `docs/study` as it is published: its numbers follow from its scores, whatever made them."""

import gzip
import io
import re
from pathlib import Path

import pandas as pd
import pytest

from ablations import all_claims, find_ablations
from ablations._study import PUBLISHED, SCORES, read_rows
from reports.publish.control import control_frame
from reports.publish.power import power_frame
from reports.publish.records import RUNS, read_records
from reports.publish.scores import read_scores, verdicts_from
from reports.publish.starting import start_frame
from study.ablation.verdicts import verdict_frame

DATA = {row.key: row.data for row in read_rows() if (PUBLISHED / row.key / SCORES).is_file()}
LINK = re.compile(r'\]\(([^)#]+)\)|src="([^"]+)"')

pytestmark = pytest.mark.skipif(not DATA, reason="nothing is published yet")


def test_the_table_of_claims_is_computed_from_the_scores():
    questions, frames = find_ablations(), []
    for key, data in DATA.items():
        for (times, name), results in read_scores(PUBLISHED / key / SCORES).items():
            if times == 1:
                frames.append(verdict_frame(verdicts_from(results, questions[name], data)))
    expected = pd.concat(frames, ignore_index=True).to_csv(index=False)
    assert (PUBLISHED / "claims.csv").read_text() == expected


def test_the_other_tables_of_the_first_page_are_computed_from_the_scores():
    results = {data: read_scores(PUBLISHED / key / SCORES) for key, data in DATA.items()}
    start = start_frame(results, {row.data for row in read_rows() if row.real})
    frames = {"power.csv": power_frame(results), "control.csv": control_frame(results), "start.csv": start}
    for name, frame in frames.items():
        again = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
        pd.testing.assert_frame_equal(pd.read_csv(PUBLISHED / name), again, rtol=0, atol=2e-4)


def test_the_first_page_counts_all_claims():
    text = (PUBLISHED / "README.md").read_text()
    for name in ("**real images, all together**", *dict.fromkeys(DATA.values())):
        line = next(line for line in text.splitlines() if line.startswith(f"| {name} "))
        assert sum(map(int, re.findall(r"\| +(\d+)", line))) == len(all_claims())


def test_the_first_page_shows_the_difference_of_a_claim_with_one():
    text = (PUBLISHED / "README.md").read_text()
    claims = pd.read_csv(PUBLISHED / "claims.csv", dtype={"key": str})
    first = claims[(claims["score"] == "sbd") & claims["value"].notna()]
    of_one = first.groupby(["key", "measured_on"]).filter(lambda rows: len(rows) == 1)
    assert len(of_one)
    for value in of_one["value"]:
        assert f"{value:+.3f}".replace("-", "−") in text


def test_the_readme_of_the_project_has_the_same_counts():
    lines = (PUBLISHED / "README.md").read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(f"| {len(all_claims())} claims "))
    table = "\n".join(lines[first : lines.index("", first)])
    assert table in (PUBLISHED.parents[1] / "README.md").read_text()  # else copy it there


def test_every_run_has_settings_and_scores_and_names_no_place():
    for key in DATA:
        assert "/tmp/" not in gzip.decompress((PUBLISHED / key / RUNS).read_bytes()).decode()
        runs = [record for found in read_records(PUBLISHED / key).values() for record in found if record.parent_id]
        assert runs
        for record in runs:
            assert record.settings["seed"] == int(record.tags["seed"])
            assert len(record.scores)
            assert not str(record.settings["data.root"]).startswith("/")


def test_links_lead_to_files_that_are_there():
    for page in PUBLISHED.rglob("*.md"):
        links = [first or second for first, second in LINK.findall(page.read_text())]
        lost = [link for link in links if not link.startswith("http") and not (page.parent / link).exists()]
        assert lost == [], Path(page.parent.name) / page.name
