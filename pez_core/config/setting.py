"""One setting, declared once: its check, its widget, its command line option and its line in the help pages."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import Any

from ..errors import PezError

MAX_SEED = 2**64 - 1  # the most that ComfyUI's seed widget reaches, and torch.Generator takes
AS_PRESET = "as the preset"
SEARCHING, WORDS, RARE = "searching", "words", "rare"  # nodes that search, PEZ Words, PEZ Search Settings
READING = "reading"  # the last widget of nodes that search: workflows saved without it keep the places of the others
_SETTING = "setting"  # the key of a field's metadata


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What everything that shows or reads a field of the configuration needs to know of it.

    name, default: of the field, filled in by `settings_of`.
    kind: "whole", "number", "choice", "text", or "words" (a tuple of texts).
    help: what to do with it, then why: the tooltip, the option's help, the help page.
    low, high: the range of a number, both included unless `open_low`. step: of the number's widget.
    choices: of a choice. optional: whether None is a value.
    widget: its name on nodes; "" where nodes do not show it. node: which nodes show it: SEARCHING, READING, WORDS or RARE.
    first: what a widget holds at first, where that is neither the default nor `unset`.
    unset: the widget's value that leaves the setting to the preset; None where the widget always decides.
    unset_help: the sentence that says so. never: the widget's value for None.
    most: the widget's largest value, where that is less than `high`.
    options: further options of ComfyUI's widget.
    flag: the command line option; "" where there is none. metavar, flag_help: of that option, where they are not
    the usual ones. flag_never: the option's value for None. between: what joins its values where it is given several times;
    "" where the last one counts.
    clean: applied to a text, or to each of the words; it may raise PezError.
    """

    kind: str
    help: str
    name: str = ""
    default: Any = None
    low: float = 0
    high: float = 0
    open_low: bool = False
    step: float = 1
    choices: tuple[str, ...] = ()
    optional: bool = False
    widget: str = ""
    node: str = RARE
    first: Any = None
    unset: Any = None
    unset_help: str = ""
    never: Any = None
    most: float | None = None
    options: Mapping[str, Any] | None = None
    flag: str = ""
    metavar: str = ""
    flag_help: str = ""
    flag_never: Any = None
    between: str = ""
    clean: Callable[[str], str] = str.strip

    @property
    def tooltip(self) -> str:
        """The help of the setting's widget."""
        return " ".join(filter(None, (self.help, self.unset_help)))

    @property
    def widget_default(self) -> Any:
        """What the widget holds at first: its own first value, the one that leaves the setting to the preset, or the default."""
        if self.first is not None:
            return self.first
        first = self.default if self.unset is None else self.unset
        return self.never if first is None else first

    @property
    def widget_choices(self) -> tuple[str, ...]:
        """The options of a choice's widget."""
        return self.choices if self.unset is None else (self.unset, *self.choices)

    @property
    def widget_limits(self) -> tuple[float, float]:
        """The least and the largest number of the widget."""
        special = [value for value in (self.unset, self.never) if value is not None]
        return min([self.low, *special]), self.high if self.most is None else self.most

    @property
    def _limits(self) -> str:
        """The numbers that the configuration takes, in words."""
        high = "2**64 - 1" if self.high == MAX_SEED else f"{self.high:,.0f}"
        return f"{'above' if self.open_low else 'from'} {self.low:g} to {high}"

    def checked(self, value: Any) -> Any:
        """The value as the configuration keeps it.

        Raises PezError naming the setting, the value and the range.
        """
        if value is None and self.optional:
            return None
        return {
            "whole": self._whole,
            "number": self._number,
            "choice": self._choice,
            "text": self._text,
            "words": self._words,
        }[self.kind](value)

    def _whole(self, value: Any) -> int:
        try:
            number = None if isinstance(value, bool) else operator.index(value)
        except TypeError:
            number = None
        if number is None or not self.low <= number <= self.high:
            raise PezError(f"{self.name} must be a whole number {self._limits}, not {_shown(value)}.")
        return number

    def _number(self, value: Any) -> float:
        try:
            number = math.nan if isinstance(value, bool | str | bytes) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not self.low <= number <= self.high or (self.open_low and number == self.low):
            raise PezError(f"{self.name} must be a number {self._limits}, not {_shown(value)}.")
        return number

    def _choice(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise PezError(f"{self.name} must be one of {', '.join(self.choices)}, not {_shown(value)}.")
        return value

    def _text(self, value: Any) -> str:
        if not isinstance(value, str):
            raise PezError(f"{self.name} must be text, not {_shown(value)}.")
        return self.clean(value)

    def _words(self, value: Any) -> tuple[str, ...]:
        try:
            words = None if isinstance(value, str | bytes | Mapping) else tuple(value)
        except TypeError:
            words = None
        if words is None or not all(isinstance(word, str) for word in words):
            raise PezError(f"{self.name} must be a list of words, not {_shown(value)}.")
        return tuple(self.clean(word) for word in words if word.strip())


def _shown(value: Any) -> str:
    try:
        said = repr(value)
    except ValueError:  # a whole number of thousands of digits
        said = "a number of very many digits"
    return said if len(said) <= 80 else said[:79] + "…"


def declared(kind: str, default: Any, help: str, **more: Any) -> Any:
    """A dataclass field of `default`, declared as a setting."""
    return field(default=default, metadata={_SETTING: Setting(kind=kind, help=help, **more)})


def settings_of(configuration: Any) -> dict[str, Setting]:
    """The settings of a configuration's class, by the names of its fields, in their order."""
    return {each.name: _named(each) for each in fields(configuration)}


def _named(each: Field[Any]) -> Setting:
    assert each.default is not MISSING
    return replace(each.metadata[_SETTING], name=each.name, default=each.default)
