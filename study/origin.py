"""What numbers are from: profile, budget, loss, data, foreground rule, and each departure from their paper."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from study.choices import choices, is_ours
from study.config import in_words
from study.figures.names import setting_label, value_label
from study.paper import departures
from study.settings import Settings
from study.systems import PAPERS, PRESETS
from study.training.loop import number_of_steps

_LISTED = 3  # variants that are named one by one
_ZEROS = {  # what 0 stands for
    "training.gradient_clip": "off",
    "tuning.trials": "no search",
    "tuning.images": "all",
    "data.image_size": "the images' own size",
    "data.crop_size": "whole images",
    "data.planes": "all",
    "data.side": "all",
    "data.images": "all",
}
_NORMS = {"batch": "batch normalisation", "group": "group normalisation"}


class Departed(NamedTuple):
    """A row of the table of departures: a setting, its values here and in the paper, and which variants have that."""

    setting: str
    here: str
    paper: str
    variants: str  # empty for all


class Origin(NamedTuple):
    """What a page, or the answer of a question, is from.

    Attributes
    ----------
    summary : str
        The whole in a sentence.
    facts : list of (str, str)
        Title and words.
    departures : list of Departed
    """

    summary: str
    facts: list[tuple[str, str]]
    departures: list[Departed]


def origin_of(
    variants: Mapping[str, Settings],
    control: str,
    images: Mapping[str, int],
    *,
    note: str = "",
    varied: Collection[str] = (),
    fixed: Mapping[str, Any] | None = None,
) -> Origin:
    """The origin of the runs of a question, or of any runs.

    Parameters
    ----------
    variants : mapping of Settings
        Name of the variant -> its settings; one at least.
    control : str
        The variant that the summary is about; the first where there is none of that name.
    images : mapping of int
        Split -> number of images; empty where that is not known.
    note : str
        How the splits were made.
    varied : collection of str
        Dotted names of what the question varies, which are no departures.
    fixed : mapping, optional
        Dotted name -> value of what the question fixes.
    """
    control = control if control in variants else next(iter(variants))
    variants = {control: variants[control], **variants}
    first = variants[control]
    train = images.get("train", 0)
    found = {name: _departures(settings, varied) for name, settings in variants.items()}
    facts = {
        "Profile and preset": _by_variant(variants, lambda s: f"{s.profile}, {s.preset}"),
        "System": _systems(variants.values()),
        "Budget": _by_variant(variants, lambda s: _budget_at_length(s, train)),
        "Loss": _by_variant(variants, lambda s: _loss_at_length(s, varied)),
        "Data": _data(first, images, note),
        "Foreground": _by_variant(variants, lambda s: s.clustering.foreground),
        "Thresholds": _by_variant(variants, _thresholds),
        "Varied": ", ".join(varied),
        "Fixed by the question": ", ".join(f"{name} = {in_words(value)}" for name, value in (fixed or {}).items()),
    }
    rows = [row for name in _names(found.values()) for row in _rows(name, found, variants)]
    summary = f"{_setup(first, train)}: {_counted(found, variants)}."
    return Origin(summary, [(title, words) for title, words in facts.items() if words], rows)


def budget(settings: Settings, images: int) -> str:
    """Such as `400 steps (1600 images) at 96 px`, of a training on so many images, 0 where that is not known."""
    plan = settings.training
    if not plan.steps and not images:
        return f"{plan.epochs} epochs {_size(settings)}"
    steps = number_of_steps(plan, images)
    return f"{steps} steps ({steps * plan.batch_size} images) {_size(settings)}"


def as_markdown(origin: Origin, *, departures: bool = True) -> str:
    """The origin as a section of a description; `departures`: with their table, else they are only counted."""
    lines = [
        "#### What this is from",
        "",
        origin.summary,
        "",
        *(f"- {title}: {words}" for title, words in origin.facts),
    ]
    if not departures:
        lines += ["", "Each departure is told on the pages, and is a tag of the run that has it."]
    elif origin.departures:
        titles = ("departure", "here", "in the paper", "variants")
        rows = [titles, ["---"] * len(titles), *origin.departures]
        lines += ["", *(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)]
    return "\n".join(lines)


def departures_in_words(settings: Settings) -> dict[str, tuple[str, str]]:
    """Dotted name -> value and what the paper has, see `study.paper.departures`, in words where 0 stands for some."""
    zeros = _ZEROS | {"training.steps": f"{settings.training.epochs} epochs"}

    def words(name: str, value: Any) -> str:
        return zeros[name] if name in zeros and value == 0 else in_words(value)

    return {name: (words(name, here), words(name, paper)) for name, (here, paper) in departures(settings).items()}


def _departures(settings: Settings, varied: Collection[str]) -> dict[str, tuple[str, str]]:
    """The departures but for what is varied."""
    return {name: pair for name, pair in departures_in_words(settings).items() if name not in varied}


def _names(found: Iterable[Mapping[str, Any]]) -> dict[str, None]:
    return dict.fromkeys(name for of_variant in found for name in of_variant)


def _rows(
    name: str, found: Mapping[str, Mapping[str, tuple[str, str]]], variants: Mapping[str, Settings]
) -> list[Departed]:
    """Rows of one setting: one for each pair of values, with a mark at the paper's where no text has it."""
    groups: dict[tuple[str, str], list[str]] = {}
    for variant, pairs in found.items():
        if name in pairs:
            groups.setdefault(pairs[name], []).append(variant)
    rows = []
    for (here, paper), group in groups.items():
        epochs = name == "training.steps" and paper.endswith(" epochs")
        ours = [variant for variant in group if is_ours("training.epochs" if epochs else name, variants[variant])]
        which = "" if len(ours) == len(group) else f" in {_listed(ours, variants)}"
        everywhere = len(group) == len(variants)
        marked = f"{paper} (ours{which})" if ours else paper
        rows.append(Departed(name, here, marked, "" if everywhere else _listed(group, variants)))
    return rows


def _listed(names: Sequence[str], variants: Mapping[str, Settings]) -> str:
    """Names of variants, or those of their systems where these are all variants of them."""
    systems = dict.fromkeys(variants[name].system for name in names)
    if [name for name in variants if variants[name].system in systems] == [*names]:
        return ", ".join(systems)
    further = len(names) - _LISTED
    return "; ".join(names) if further <= 1 else f"{'; '.join(names[:_LISTED])} and {further} others"


def _by_variant(variants: Mapping[str, Settings], words: Callable[[Settings], str]) -> str:
    """What the control has, and what others have otherwise, with their names."""
    groups: dict[str, list[str]] = {}
    for name, settings in variants.items():
        groups.setdefault(words(settings), []).append(name)
    first, *others = groups
    return ". ".join([first, *(f"{_listed(groups[other], variants)}: {other}" for other in others)])


def _by_paper(variants: Iterable[Settings]) -> dict[str, list[str]]:
    """Paper -> the systems of it among the variants."""
    found: dict[str, list[str]] = {}
    for system in dict.fromkeys(settings.system for settings in variants):
        found.setdefault(PAPERS.get(system, "no paper"), []).append(system)
    return found


def _systems(variants: Iterable[Settings]) -> str:
    return "; ".join(f"{', '.join(systems)} ({paper})" for paper, systems in _by_paper(variants).items())


def _counted(found: Mapping[str, Mapping[str, Any]], variants: Mapping[str, Settings]) -> str:
    """How many departures the control has, and the first variant of each other system, and from which paper."""
    counts: dict[str, int] = {}
    for name, settings in variants.items():
        counts.setdefault(settings.system, len(found[name]))
    parts = []
    for paper, systems in _by_paper(variants.values()).items():
        each = [f"{counts[s] or 'no'}{f' ({s})' if len(counts) > 1 else ''}" for s in systems]
        noun = "" if parts else f" departure{'s' * (counts[systems[-1]] != 1)}"
        parts.append(f"{', '.join(each)}{noun} from {paper}")
    program = any(s.preset == "code" and s.system in PRESETS["code"] for s in variants.values())
    return "; ".join(parts) + (", where the authors' program counts in place of the text" if program else "")


def _setup(settings: Settings, images: int) -> str:
    """Such as `Profile quick on synthetic-leaves, 400 steps (1600 images) at 96 px, squared cosine, flips`."""
    preset = f" and preset {settings.preset}" if settings.preset != "paper" else ""
    parts = [f"Profile {settings.profile}{preset} on {settings.data.name}", budget(settings, images)]
    parts.append(_loss(settings))
    parts.append(_NORMS.get(getattr(settings.network, "norm", ""), ""))
    augmentation = settings.data.augmentation
    parts.append(augmentation.replace("+", " and ") if augmentation != "none" else "no augmentation")
    return ", ".join(filter(None, parts))


def _size(settings: Settings) -> str:
    data = settings.data
    if settings.dims == 3:
        return f"in crops of {data.crop_planes} x {data.crop_size} x {data.crop_size}"
    whole = f"at {data.image_size} px" if data.image_size else "at the images' own size"
    return f"{whole} in crops of {data.crop_size} px" if data.crop_size else whole


def _budget_at_length(settings: Settings, images: int) -> str:
    plan = settings.training
    rate = f"learning rate {plan.learning_rate:g}, {plan.schedule}"
    return f"{budget(settings, images)}, batches of {plan.batch_size}, {rate}"


def _loss(settings: Settings) -> str:
    similarity = getattr(settings.loss, "similarity", None)
    return f"{similarity} {settings.loss.key}" if similarity else f"{settings.loss.key} loss"


def _loss_at_length(settings: Settings, varied: Collection[str]) -> str:
    """The loss, and those of its settings that make another loss of it."""
    flat, words = settings.flat(), _loss(settings)
    parts = [words if words.endswith(" loss") else f"cosine loss of the {words}"]
    local = flat.get("loss.constraints") == "local"
    for leaf in ("inter_weight", "constraints", *(["neighbour_distance"] if local else []), "ranges"):
        name = f"loss.{leaf}"
        if name in flat:
            parts.append(
                f"{setting_label(name).partition(',')[0]} varied" if name in varied else value_label(name, flat[name])
            )
    return ", ".join(parts)


def _data(settings: Settings, images: Mapping[str, int], note: str) -> str:
    """The data set with its subsets and counts, and what the paper of the system has in its place."""
    data = settings.data
    parts = [f"{data.name}{f' {data.subsets}' if data.name == 'cvppp2017' else ''}"]
    parts.append(", ".join(f"{count} {split}" for split, count in images.items()))
    parts.append(note)
    of_paper = next((c.text for c in choices() if c.setting == "data set" and settings.system in c.systems.split()), "")
    paper = f". In the paper: {of_paper}" if of_paper else ""
    return "; ".join(filter(None, parts)) + paper


def _thresholds(settings: Settings) -> str:
    trials = settings.tuning.trials
    return f"searched on validation images, at most {trials} trials" if trials else "not searched"
