"""An argument parser that allows values beginning with a minus sign, and prints errors in one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from .output import say

_MARK = "\0"  # no argument can contain it: put before a value that argparse would mistake for an option


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose options accept values that begin with `-`, such as -1e-1 or the text "-dog", unless they are
    options of this parser. After `--` everything is a value."""

    def __init__(self, **settings: Any):
        self._values: dict[str, int] = {}  # the number of values of each option
        self._marks = True
        super().__init__(**settings)

    def add_argument(self, *names: str, **settings: Any) -> argparse.Action:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As argparse's."""
        if settings.get("action", "store") in ("store", "append"):
            settings["type"] = _unmark(settings.get("type", str))
        action = super().add_argument(*names, **settings)
        takes = 1 if action.nargs is None else action.nargs
        self._values |= dict.fromkeys(action.option_strings, takes if isinstance(takes, int) else 0)
        return action

    def add_subparsers(self, **settings: Any) -> Any:
        """As argparse's; the remaining arguments belong to the parsers of the commands."""
        self._marks = False
        return super().add_subparsers(**settings)

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As argparse's, but a command refuses itself what it does not know, so that the message names its own help."""
        given = sys.argv[1:] if args is None else args
        found, unknown = super().parse_known_args(list(self._mark_values(given) if self._marks else given), namespace)
        if unknown and self._marks:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def print_help(self, file: Any = None) -> None:
        """Prints the help to standard output."""
        say(self.format_help(), end="")

    def error(self, message: str) -> NoReturn:
        """Ends the program with a one-line error."""
        plain = message.replace(repr(_MARK)[1:-1], "").replace(_MARK, "")
        self.exit(2, f"{self.prog}: error: {plain} (see {self.prog} --help)\n")

    def _mark_values(self, arguments: Iterable[str]) -> Iterable[str]:
        """The arguments, with a mark before each value that begins with a minus sign."""
        values: float = 0  # that the last option still takes
        for argument in arguments:
            flag, equals, value = argument.partition("=")
            option = self._option(flag) if values != float("inf") else ""
            if option:
                yield f"{flag}={_mark(value)}" if equals else argument
                values = 0 if equals else self._values[option]
            elif argument == "--" and not values:
                values = float("inf")
            else:
                yield _mark(argument) if values else argument
                values = max(values - 1, 0)

    def _option(self, flag: str) -> str:
        """The option that `flag` means, if any; it may be abbreviated."""
        if flag in self._values:
            return flag
        near = (
            [name for name in self._values if name.startswith(flag)] if flag.startswith("--") and flag != "--" else []
        )
        return near[0] if len(near) == 1 else ""


def _mark(value: str) -> str:
    return _MARK + value if value.startswith("-") else value


def _unmark(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def convert(value: str) -> Any:
        return kind(value.removeprefix(_MARK))

    convert.__name__ = kind.__name__  # argparse names it in its errors
    return convert
