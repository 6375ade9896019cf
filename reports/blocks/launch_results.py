"""Results of launches of ablations: ids -> results, and words about what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from ablations import find_ablations
from study import tracking
from study.ablation.design import Ablation
from study.ablation.printed import printed_values, tested_images
from study.ablation.question import measured_on
from study.ablation.statistics import of_variant, summarize
from study.errors import StudyError
from study.figures.names import variant_label
from study.metrics import kind_of, summary_scores
from study.origin import budget
from study.runs.environment import mixed_environments
from study.runs.job import Result, run_name, variant_name
from study.settings import Settings
from study.tracking import StoredRun


@dataclass(frozen=True)
class LaunchResults:
    """A launch of an ablation with its results.

    Attributes
    ----------
    results : list of Result
        Of its finished runs.
    run_ids : dict
        (Name of the variant, seed) -> id of the finished run.
    settings : dict
        Dotted name -> value, of one of the finished runs; empty without one.
    missing : list of str
        Sentences: which runs there are no scores of, and why.
    seed_count : int
        Seeds of all its runs, with and without scores.
    """

    ablation: Ablation
    parent: StoredRun
    results: list[Result]
    run_ids: dict[tuple[str, int], str]
    settings: dict[str, Any]
    missing: list[str]
    seed_count: int

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return self.parent.tags.get("dataset", "an unknown data set")

    @property
    def where(self) -> str:
        """Data set and profile in words."""
        return measured_on(self.dataset, self.parent.tags.get("profile", ""))

    @cached_property
    def table(self) -> pd.DataFrame:
        """The summary of the results, see `study.ablation.statistics.summarize`; empty without results."""
        return summarize(self.ablation, self.results) if self.results else pd.DataFrame()

    @cached_property
    def settings_by_variant(self) -> dict[str, Settings]:
        """Name of the variant -> settings of one of its finished runs that keep them, but for the seed."""
        stored = {variant: tracking.stored_settings(run_id) for (variant, _), run_id in self.run_ids.items()}
        return {variant: Settings.from_stored(flat) for variant, flat in stored.items() if flat}

    @cached_property
    def images(self) -> dict[str, int]:
        """Images per split; empty where the store does not know."""
        return tracking.split_sizes(self.parent.run_id)

    @property
    def made_in(self) -> str:
        """Profile and budget, in a sentence; empty without finished runs that keep their settings."""
        known = self.settings_by_variant
        control = known.get(variant_name(self.ablation.control), next(iter(known.values()), None))
        return f"Profile {control.profile}: {budget(control, self.images.get('train', 0))}." if control else ""

    @property
    def data_and_budget(self) -> str:
        """Data set, profile and budget in sentences, for the captions of pictures."""
        return f"{self.dataset}. {self.made_in}".strip()

    @cached_property
    def trainings(self) -> dict[tuple[str, int], StoredRun]:
        """(Name of the variant, seed) -> the run that shows its training; without those whose run is gone."""
        trainings = {}
        for key, run_id in self.run_ids.items():
            with suppress(StudyError):
                trainings[key] = tracking.training_of(tracking.stored_run(run_id))
        return trainings

    @cached_property
    def printed(self) -> pd.DataFrame | None:
        """The paper's values, marked by whether they are of the same test images, see `study.ablation.printed`."""
        return printed_values(self.ablation, self.dataset, self.results)

    @cached_property
    def tested(self) -> set[str]:
        """Names of the test images."""
        return tested_images(self.results)

    @property
    def control_rows(self) -> list[int]:
        """The place of the control among the variants."""
        return [i for i, variant in enumerate(self.ablation.variants()) if variant == self.ablation.control]

    def seeds(self) -> list[int]:
        """Seeds of the results."""
        return sorted({result.seed for result in self.results})

    def row(self, variant: dict[str, Any]) -> dict[str, Any]:
        """The row of a variant in the summary; empty where it has no result."""
        return next((row for row in self.table.to_dict("records") if variant.items() <= row.items()), {})

    def of(self, variant: dict[str, Any]) -> list[Result]:
        """The results of a variant by ascending seed."""
        return of_variant(self.results, variant)

    def run_of(self, result: Result) -> str:
        """Id of the run that a result is of."""
        return self.run_ids[variant_name(result.variant), result.seed]

    def missing_of(self, variant: dict[str, Any]) -> str:
        """Why runs of a variant have no scores; the sentences of `missing` begin with its name."""
        name = variant_label(variant)
        about = [sentence for sentence in self.missing if sentence.startswith(f"{name}, seed ")]
        if not about and not self.of(variant):
            return "no finished run"
        return "; ".join(sentence.removeprefix(f"{name}, ") for sentence in about)

    def trained_on(self) -> str:
        """Which images it trains on, as part of a sentence: `92 images of cvppp2017 (A1)`."""
        count = tracking.split_sizes(self.parent.run_id).get("train")
        images = f"{count} image{'s' * (count != 1)}" if count is not None else "an unknown number of images"
        subsets = self.settings.get("data.subsets", "") if self.dataset == "cvppp2017" else ""
        return f"{images} of {self.dataset}{f' ({subsets})' if subsets else ''}"

    def measured_on(self) -> str:
        """Data set, split, images, seeds, foreground rule, profile and budget, in sentences."""
        if not self.results:
            return f"{self.dataset}: no finished run."
        images = sorted({len(result.table) for result in self.results})
        counts = " or ".join(map(str, images))
        item = kind_of(self.table).item
        note = self.parent.tags.get("split_note")
        split = f" ({note})" if note else ""
        seeds = ", ".join(map(str, self.seeds()))
        foreground = self.settings.get("clustering.foreground", "unknown")
        mixed = mixed_environments([text for result in self.results for text in result.environments])
        return (
            f"{self.dataset}, {counts} test {item}{'s' * (images != [1])}{split}; "
            f"seed{'s' * (len(self.seeds()) > 1)} {seeds}; foreground at test time: {foreground}. "
            f"{self.made_in} {mixed}"
        ).strip()


_kept: dict[tuple[str, str], LaunchResults] | None = None  # by store and id of the parent


def keep_launches() -> None:
    """Let `load_launches` read each launch once, in a process that makes pages of one moment and ends."""
    global _kept
    _kept = {}


def load_launches(parent_ids: Sequence[str]) -> dict[str, LaunchResults]:
    """Launches by the name of their ablation, in the order of the paper; raises StudyError if two are of one."""
    launches: dict[str, LaunchResults] = {}
    for run_id in parent_ids:
        parent = tracking.stored_run(run_id)
        name = ablation_of(parent)
        if name in launches:
            raise StudyError(f"--run_ids names two launches of the ablation {name!r}: a report shows one of each")
        key, kept = (tracking.current_store(), run_id), _kept if _kept is not None else {}
        if key not in kept:
            kept[key] = _results_of(find_ablations()[name], parent)
        launches[name] = kept[key]
    return {name: launches[name] for name in find_ablations() if name in launches}


def load_launch(parent_ids: Sequence[str], name: str) -> LaunchResults:
    """The launch of the ablation `name`; raises StudyError if the ids are not those of one such launch."""
    launches = load_launches(parent_ids)
    if list(launches) != [name]:
        others = ", ".join(launches)
        raise StudyError(f"--run_ids: this report takes one launch of the ablation {name!r}, not of {others}")
    return launches[name]


def is_launch_of_ablation(run: StoredRun) -> bool:
    """Whether a run is the parent of a launch of an ablation that is known."""
    return run.is_launch and run.tags.get("ablation", "") in find_ablations()


def ablation_of(run: StoredRun) -> str:
    """The ablation that a parent run is a launch of; raises StudyError if it is of none that is known."""
    name = run.tags.get("ablation", "")
    if not is_launch_of_ablation(run):
        kind = f"one run of the launch {run.parent_id}" if run.parent_id else "not the launch of a known ablation"
        raise StudyError(
            f"--run_ids: run {run.run_id} ({run.name}) is {kind}; this report takes the parent runs of ablations "
            f"({', '.join(find_ablations())})"
        )
    return name


def _results_of(ablation: Ablation, parent: StoredRun) -> LaunchResults:
    variants = {variant_name(variant): variant for variant in ablation.variants()}
    children = tracking.children_of(parent)
    results: list[Result] = []
    run_ids: dict[tuple[str, int], str] = {}
    missing: list[str] = []
    for child in children:
        name, seed = child.tags.get("variant", ""), int(child.tags.get("seed", -1))
        if name not in variants:
            missing.append(f"{child.name}: not a variant of this version's ablation")
            continue
        said = run_name(variants[name], seed)  # not as the store has it: earlier versions named runs by their keys
        if child.state != "FINISHED":
            missing.append(f"{said}: {child.status_text()}")
        else:
            try:
                results.append(_result(variants[name], seed, child))
                run_ids[name, seed] = child.run_id
            except StudyError as error:
                missing.append(f"{said}: {error}")
    begun = {(child.tags.get("variant"), child.tags.get("seed")) for child in children}
    seeds = sorted({seed for _, seed in begun if seed}, key=int)
    for seed in seeds or [""]:
        absent = [variant_label(of) for name, of in variants.items() if (name, seed) not in begun]
        if absent:
            missing.append(f"{'; '.join(absent)}{f' (seed {seed})' if seed else ''}: not begun")
    if parent.state in ("RUNNING", "KILLED"):
        missing.insert(0, f"the launch itself: {parent.status_text()}")
    settings = tracking.stored_settings(next(iter(run_ids.values()))) if run_ids else {}
    return LaunchResults(ablation, parent, results, run_ids, settings, missing, len(seeds))


def _result(variant: dict[str, Any], seed: int, child: StoredRun) -> Result:
    table, pictures = tracking.stored_scores(child.run_id, "test")
    if not summary_scores(table):
        raise StudyError(f"run {child.run_id} keeps no scores of test images")
    return Result(variant, seed, table, pictures, tracking.environments_in(child.tags))
