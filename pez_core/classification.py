"""Classification: prompts that make a language model name the label of a text, the paper's second half."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from .config.classifier import ClassifierConfig
from .errors import PezError, short_of_memory, shorten
from .models.towers import tower_of
from .objectives.fluency import LanguageModel
from .objectives.label_judge import (
    Accuracy,
    LabelJudge,
    accuracy_of,
    calibrated,
    label_scores,
    prompt_contributions,
    prompt_nll,
)
from .objectives.labels import LabelObjective
from .result import InversionResult, Progress
from .run.loop import Run
from .targets.labelled import Examples
from .targets.task import Labels, LabelTask, padded
from .text.template import template_of
from .towers.language import LanguageTower
from .towers.plain import plain_torch
from .towers.precision import choose

log = logging.getLogger(__name__)

EXPLAINED = 32  # held-out texts for the contributions of tokens


@dataclass(frozen=True)
class ClassifierResult:
    """The outcome of `learn_classifier`.

    search: the run; its similarities are accuracies on the held-out texts, its contributions nats of the right label.
    task: what was learned, calibrated for the best prompt. learned: of the best prompt. without: the accuracy with no prompt,
    on the same texts, calibrated for itself. shifts: of the labels, for each candidate; all () without calibration.
    """

    search: InversionResult
    task: LabelTask
    learned: Accuracy
    without: Accuracy
    shifts: dict[str, tuple[float, ...]]

    @property
    def prompt(self) -> str:
        """The best prompt."""
        return self.search.prompt

    @property
    def accuracy(self) -> float:
        """Its share of right labels on the held-out texts."""
        return self.search.similarity

    @property
    def stopped(self) -> str:
        """Why the search ended, as in `InversionResult`."""
        return self.search.stopped

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`, without the trace."""
        plain = self.search.to_json()
        candidates = [
            {
                "text": each.text,
                "accuracy": each.similarity,
                "nll": each.nll,
                "shifts": list(self.shifts[each.text]),
            }
            for each in self.search.candidates
        ]
        own = {"prompt": self.prompt, "accuracy": self.accuracy, "candidates": candidates}
        del plain["similarity"]
        return {
            **plain,
            **own,
            "suffix": self.task.suffix,
            "labels": dict(zip(self.task.names, map(list, self.task.words), strict=True)),
            "shifts": list(self.task.shifts),
            "held_out": self.learned.to_json(),
            "without_prompt": self.without.to_json(),
        }


@plain_torch()
def learn_classifier(
    model: LanguageModel,
    task: LabelTask,
    train: Examples,
    held_out: Examples,
    config: ClassifierConfig | None = None,
    on_progress: Callable[[Progress], bool | None] | None = None,
    explained: int = EXPLAINED,
) -> ClassifierResult:
    """Searches for a prompt after which the model names the labels of texts.

    Args:
        model: from `load_language_model` or `embedded_caption_model`; it is not changed.
        task: the labels, their words and the suffix.
        train: texts that the search learns from. held_out: others, which choose among its prompts; both with the task's names.
        config: None for the defaults.
        on_progress: as in `invert`; `similarity` and `best` are accuracies on the held-out texts.
        explained: held-out texts for the contributions of tokens; 0 for none.

    Returns:
        The best prompt on the held-out texts, with its accuracy there. It was chosen by them: measure it on others with
        `evaluate_prompt`. Its task is calibrated by some of the training texts, unless the configuration says otherwise: use that
        task with the prompt.

    Raises:
        PezError: these do not fit together, or there is not enough memory.

    Source: "Hard Prompts Made Easy" (arXiv 2302.03668), section 5.

    Example:
        >>> task = LabelTask.of(["negative", "positive"], ["terrible", "great"])
        >>> train, held_out = read_examples("reviews.csv").split(1000, 200, seed=0)
        >>> result = learn_classifier(load_language_model(), task, train, held_out)
        >>> print(result.prompt, result.accuracy)
        >>> classify(load_language_model(), result.task, result.prompt, ["a film to fall asleep in"])
    """
    config = config or ClassifierConfig()
    if not isinstance(config, ClassifierConfig):
        raise PezError(f"A classifier's search takes a ClassifierConfig, not {type(config).__name__}.")
    for examples in (train, held_out):
        _check_names(task, examples)
    if config.readability:
        raise PezError("readability is for pictures: use fluency to make a classifier's prompt read naturally.")
    tower = tower_of(model)
    if config.fluency and not tower.reads_prompts:
        raise PezError(f"{tower.name} cannot say how natural a prompt reads: set fluency to 0.")
    fixed = (config.prefix, config.suffix, config.keep, config.banned, config.vocabulary)
    template = template_of(tower.vocabulary, tower.name, config.length, *fixed)
    words, told = template.starts_of(config.own_texts, config.restarts)
    # Shuffled: the first texts, which are those that are compared, are a sample of all.
    (order,) = train.split(len(train), seed=config.seed)
    batch = config.batch_size or len(train)
    try:
        searched = tower.in_format(_format(tower, task, order, config.precision))
        objective = LabelObjective(
            searched, task, order, template, batch, config.compared, config.fluency, config.calibration > 0
        )
    except torch.cuda.OutOfMemoryError as error:
        raise short_of_memory(tower.device, tower.name) from error
    calibrating = calibration_texts(train, config)
    judge = LabelJudge(tower, task, held_out, template, max(0, explained), calibrating)
    report = (lambda progress: on_progress(progress[0])) if on_progress else None
    run = Run(objective, judge, config, tower.name, template.kept, words, report, compare_every=config.compare_every)
    warnings = (
        *template.warnings,
        *told,
        *_missing(train, "to learn from"),
        *_missing(held_out, "that chooses the prompt"),
        *(_uncalibrated(train, calibrating) if calibrating else ()),
    )
    for warning in warnings:
        log.warning(warning)
    (found,) = run.go()
    learned = judge.accuracy(found.prompt)
    without = evaluate_prompt(model, judge.task(""), "", held_out, judge.between)
    shifts = {each.text: judge.task(each.text).shifts for each in found.candidates}
    return ClassifierResult(replace(found, warnings=warnings), judge.task(found.prompt), learned, without, shifts)


def calibration_texts(train: Examples, config: ClassifierConfig) -> Examples | None:
    """The texts by which `learn_classifier` calibrates prompts: some of those to learn from, with their labels in proportion;
    None without calibration."""
    count = min(config.calibration, len(train))
    return train.split(count, seed=config.seed)[0] if count else None


@plain_torch()
def calibrated_for(
    model: LanguageModel,
    task: LabelTask,
    prompt: str,
    train: Examples,
    config: ClassifierConfig,
    between: Callable[[], None] | None = None,
) -> LabelTask:
    """The task as `learn_classifier` with these texts and this configuration uses it for a prompt, "" for none: to compare
    others with what it learns, or to use that with another model.

    between: called every few texts; it may raise.

    Raises PezError as `calibrate` does.
    """
    some = calibration_texts(train, config)
    return task if some is None else calibrate(model, task, prompt, some, between)


@plain_torch()
def pick_prompt(
    model: LanguageModel,
    result: ClassifierResult,
    held_out: Examples,
    number: int,
    between: Callable[[], None] | None = None,
) -> ClassifierResult:
    """The result with candidate `number` (from 1) moved to the front; the last one if there are fewer.

    held_out: the texts that the result was measured on. between: called every few texts; it may raise.

    Raises PezError for a number below 1.
    """
    search = result.search
    candidates = search.candidates_from(number)
    chosen = candidates[0].text
    if candidates[0] is search.candidates[0]:
        return result
    task = result.task.shifted(result.shifts[chosen])
    tokens = prompt_contributions(tower_of(model), task, chosen, held_out, EXPLAINED, between)
    learned = evaluate_prompt(model, task, chosen, held_out, between)
    return replace(result, search=replace(search, candidates=candidates, tokens=tokens), task=task, learned=learned)


@plain_torch()
def evaluate_prompt(
    model: LanguageModel,
    task: LabelTask,
    prompt: str,
    examples: Examples,
    between: Callable[[], None] | None = None,
) -> Accuracy:
    """How often a prompt, "" for none, leads to the right label of the examples.

    between: called every few texts; it may raise.

    Raises PezError when the task does not fit the examples or the model.
    """
    _check_names(task, examples)
    tower = tower_of(model)
    scores = torch.cat(list(label_scores(tower, task, prompt, examples, between)))
    return accuracy_of(prompt, scores, examples, prompt_nll(tower, prompt) if prompt else None, task.shifts)


@plain_torch()
def calibrate(
    model: LanguageModel,
    task: LabelTask,
    prompt: str,
    examples: Examples,
    between: Callable[[], None] | None = None,
) -> LabelTask:
    """The task with shifts of its labels with which, after a prompt, the model names each as often as the examples have it.

    A language model may say the word of one label after nearly every text, whatever the prompt; calibration takes that away.
    About a hundred examples suffice. Do not measure on the same ones.

    between: called every few texts; it may raise.

    Raises PezError when the task does not fit the examples or the model.

    Source: after "Calibrate Before Use" (arXiv 2102.09690) and "Batch Calibration" (arXiv 2309.17249), with the shares of the
    labels known.
    """
    _check_names(task, examples)
    return calibrated(tower_of(model), task, prompt, examples, between)


@plain_torch()
def classify(
    model: LanguageModel,
    task: LabelTask,
    prompt: str,
    texts: Sequence[str],
    between: Callable[[], None] | None = None,
) -> list[dict[str, float]]:
    """The probability of each label, by its name, for each of the texts.

    Raises PezError for a text without words, for what is not text, and when the task does not fit the model.
    """
    if isinstance(texts, str):
        raise PezError("classify takes several texts: give a list, such as [text].")
    if not texts:
        return []
    for number, text in enumerate(texts, 1):
        if not isinstance(text, str):
            raise PezError(f"Text {number} is not text but {shorten(repr(text))}: leave it out.")
    empty = next((number for number, text in enumerate(texts, 1) if not text.strip()), None)
    if empty is not None:
        raise PezError(f"Text {empty} is empty: there is nothing to classify.")
    examples = Examples(tuple(texts), (0,) * len(texts), task.names)
    scores = torch.cat(list(label_scores(tower_of(model), task, prompt, examples, between)))
    return [dict(zip(task.names, row, strict=True)) for row in scores.exp().tolist()]


def _missing(examples: Examples, use: str) -> list[str]:
    """A warning for labels that none of the examples has."""
    names = _names(examples, set(range(len(examples.names))) - set(examples.labels))
    return [f"No text {use} has the label {names}: give more texts."] if names else []


def _uncalibrated(train: Examples, some: Examples) -> list[str]:
    """A warning for labels that are among the texts to learn from, and not among those of them that calibrate."""
    names = _names(train, set(train.labels) - set(some.labels))
    if not names:
        return []
    count = (
        f"The {len(some)} texts that calibrate prompts have"
        if len(some) > 1
        else "The text that calibrates prompts has"
    )
    return [f"{count} no label {names}, so that it is hardly ever named: raise calibration."]


def _names(examples: Examples, numbers: set[int]) -> str:
    return shorten(", ".join(repr(examples.names[number]) for number in sorted(numbers)))


def _check_names(task: LabelTask, examples: Examples) -> None:
    if tuple(task.names) != tuple(examples.names):
        raise PezError(
            f"The examples have the labels {', '.join(examples.names)}, the task has {', '.join(task.names)}: they must agree."
        )
    if not len(examples):
        raise PezError("There are no examples: give texts with labels.")


def _format(tower: LanguageTower, task: LabelTask, examples: Examples, precision: str) -> torch.dtype:
    """The number format of the search: labels of a few examples must be as likely as in float32."""
    some = examples.select(range(min(4, len(examples))))
    labels = Labels(task, tower.vocabulary, tower.device)
    ids, lengths = padded(task.encode(tower.vocabulary, "", some.texts, tower.vocabulary.room - labels.longest))

    def sample(dtype: torch.dtype, fused: bool = False) -> tuple[Tensor, Tensor]:
        del fused  # towers of language models have no kernels of their own
        other = tower.in_format(dtype)
        prompt = tower.embed(ids[:1, :4].to(tower.device)).detach().requires_grad_()
        state = other.begin(prompt)
        rows = tuple(each.expand(len(ids), *each.shape[1:]) for each in state)
        said = other.read(rows, ids.to(tower.device), lengths.to(tower.device), labels.words)
        found = labels.log_probabilities(said)
        (gradient,) = torch.autograd.grad(found[:, 0].sum(), prompt)
        return found.exp().detach(), gradient.float()

    return choose(precision, tower.device, sample, tower.name)
