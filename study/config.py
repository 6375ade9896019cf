"""How settings are declared, named, checked and digested; it knows none of the things that have them.

A thing (a network, a loss, a clustering method) is a frozen dataclass, its *component*, whose fields are its settings.
`study.settings` puts components together to the settings of a run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, ClassVar, TypeVar

from study.errors import StudyError, unknown_name


def setting(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple = (),
    also: tuple[str, ...] = (),
    search: tuple[float, float, float] | None = None,
    label: str = "",
    form: str = "",
    values: Mapping[Any, str] | None = None,
    needs: str = "",
    check: Callable[[Any], object] | None = None,
) -> Any:
    """A field of a component.

    Parameters
    ----------
    default : bool, int, float or str
        Its type is that of the setting.
    low, high : float, optional
        Range, both ends included.
    choices : tuple
        All values there are.
    also : tuple of str
        Words that are allowed beside numbers.
    search : (low, high, step), optional
        Where a search of thresholds looks; without it the setting is not searched.
    label : str
        Title of an axis.
    form : str
        How a value is written in figures and tables, such as ``d = {} px``.
    values : mapping of str, optional
        Words for single values there.
    needs : str
        What a run must have for the setting to mean anything: a head of the network, or ``volumes``. Elsewhere the
        component lacks the setting.
    check : callable, optional
        Raises a StudyError for a value that does not fit.
    """
    metadata = {"low": low, "high": high, "choices": choices, "also": also, "search": search}
    metadata |= {"label": label, "form": form, "values": values or {}, "needs": needs, "check": check}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Component:
    """One of several things that a run can have in one place: its settings, and what it does with them.

    Attributes
    ----------
    key : str
        What a user types to choose it; it is known by this in a registry.
    """

    key: ClassVar[str] = ""

    def check(self, settings: Any) -> None:
        """Raise a StudyError where the component does not go with the other settings of a run (`study.settings`)."""


ComponentType = TypeVar("ComponentType", bound=Component)


def registry(*components: type[ComponentType]) -> dict[str, type[ComponentType]]:
    """Components by their keys, in this order."""
    return {component.key: component for component in components}


def fields_of(component: type) -> dict[str, dataclasses.Field]:
    """Settings of a component by name, in the order of definition."""
    return {spec.name: spec for spec in dataclasses.fields(component)}


def checked(name: str, value: Any, spec: dataclasses.Field) -> Any:
    """`value`, or what a text says, as the type of the field's default.

    Raises
    ------
    StudyError
        If it has another type or is out of range.
    """
    meta = spec.metadata
    if value in meta.get("also", ()):
        return value
    value = _converted(name, value, spec)
    if meta.get("choices") and value not in meta["choices"]:
        raise unknown_name(f"value of {name}", value, meta["choices"])
    low, high = meta.get("low"), meta.get("high")
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        upper = "" if high is None else f" and at most {high:g}"
        raise StudyError(f"setting {name} must be at least {low:g}{upper}, not {value:g}")
    if meta.get("check"):
        try:
            meta["check"](value)
        except StudyError as error:
            raise StudyError(f"setting {name}: {error}") from error
    return value


def _converted(name: str, value: Any, spec: dataclasses.Field) -> Any:
    kind = type(spec.default)
    try:
        if kind is bool:
            return {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]
        if kind is int and isinstance(value, float) and not value.is_integer():
            raise ValueError
        return kind(value)
    except (KeyError, ValueError, TypeError):
        words = {"bool": "true or false", "int": "a whole number", "float": "a number"}[kind.__name__]
        words += "".join(f" or {word}" for word in spec.metadata.get("also", ()))
        raise StudyError(f"setting {name} must be {words}, not {value!r}") from None


def is_number(value: Any) -> bool:
    """Whether a value has a size; true and false have none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def in_words(value: Any) -> str:
    """A value of a setting as a user types it; a dash where it is an empty text."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value) or "-"
