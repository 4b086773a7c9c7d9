"""The exact judge of prompts that classify: accuracy on held-out texts, tokenized again as whole texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..result import Candidate, Token
from ..targets.labelled import Examples
from ..targets.task import Labels, LabelTask, padded
from ..text.spans import token_spans
from ..text.template import Template
from ..towers.language import LanguageTower
from .calibration import shares_of, shifts_for
from .protocol import nothing

ROWS = 32  # texts that are read at once
ROUND = 100  # held-out texts after which a prompt that is clearly worse than the best one is given up
CLEARLY = 2.0  # standard errors


@dataclass(frozen=True)
class Accuracy:
    """How often a prompt leads to the right label.

    prompt: "" for none. right, texts: how many of how many. nll: nats per word that the prompt surprises the model by; None
    where that is not known. confusion: for each label, how many of its texts got each label. shifts: of the labels, with which
    it was measured; () for none.
    """

    prompt: str
    right: int
    texts: int
    confusion: tuple[tuple[int, ...], ...]
    nll: float | None = None
    shifts: tuple[float, ...] = ()

    @property
    def accuracy(self) -> float:
        """The share of right labels, 0 to 1."""
        return self.right / self.texts

    @property
    def error(self) -> float:
        """The standard error of the accuracy, as if two more texts were right and two wrong (Agresti and Coull, 1998): a few
        texts that are all right prove little."""
        texts = self.texts + 4
        share = (self.right + 2) / texts
        return math.sqrt(share * (1 - share) / texts)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "prompt": self.prompt,
            "accuracy": self.accuracy,
            "error": self.error,
            "texts": self.texts,
            "nll": self.nll,
            "confusion": [list(row) for row in self.confusion],
            "shifts": list(self.shifts),
        }


class LabelJudge:
    """Scores prompts by their accuracy on held-out texts. See `protocol.Judge`.

    A prompt that is clearly worse than the best one so far on the first texts is given up: it has no score and is not
    returned. Scores are remembered.

    explained: of how many held-out texts contributions are the mean; 0 for no contributions.
    calibration: texts by which each prompt is calibrated, see `calibrated`; none of them held out. None for no calibration.
    """

    measure = "accuracy"

    def __init__(
        self,
        tower: LanguageTower,
        task: LabelTask,
        held_out: Examples,
        template: Template,
        explained: int = 32,
        calibration: Examples | None = None,
    ):
        self._tower, self._task, self._held_out, self._template = tower, task, held_out, template
        self._explained, self._calibration = explained, calibration
        self._tasks: dict[str, LabelTask] = {}  # calibrated for the prompts
        self._known: dict[str, Candidate | None] = {}
        self._scores: dict[str, Tensor] = {}  # of the prompts that were not given up, [E, C]
        self._best: Tensor | None = None  # bool [E]: the texts that the best prompt labels right
        self.between: Callable[[], None] = nothing

    def text(self, ids: Sequence[int]) -> str:
        """The whole prompt of searched ids."""
        return self._template.text(ids)

    def score(self, texts: Sequence[str], problem: int) -> list[Candidate]:
        """The prompts that may be returned, best first: most accurate, then most certain of the right labels."""
        del problem
        texts = [text for text, good in zip(texts, self._template.permits(texts), strict=True) if good]
        for text in texts:
            if text not in self._known:
                self._known[text] = self._judge(text)
        found = [each for each in map(self._known.get, texts) if each is not None]
        return sorted(found, key=lambda each: (-each.similarity, -self._certainty(each.text)))

    def accuracy(self, text: str) -> Accuracy:
        """How a prompt with a score did, label by label."""
        nll = prompt_nll(self._tower, text)
        return accuracy_of(text, self._scores[text], self._held_out, nll, self.task(text).shifts)

    def contributions(self, text: str, problem: int) -> tuple[Token, ...]:
        """How much each token adds to the mean log-probability of the right label: the nats lost without it."""
        del problem
        task = self.task(text)
        return prompt_contributions(self._tower, task, text, self._held_out, self._explained, self.between)

    def task(self, text: str) -> LabelTask:
        """The task, calibrated for a prompt."""
        if self._calibration is None:
            return self._task
        if text not in self._tasks:
            self._tasks[text] = calibrated(self._tower, self._task, text, self._calibration, self.between)
        return self._tasks[text]

    def _judge(self, text: str) -> Candidate | None:
        """The prompt with its accuracy; None if it was given up."""
        wanted, right, every = torch.tensor(self._held_out.labels), torch.zeros(0, dtype=torch.bool), []
        for scores in label_scores(self._tower, self.task(text), text, self._held_out, self.between):
            every.append(scores)
            right = torch.cat([right, scores.argmax(1) == wanted[len(right) : len(right) + len(scores)]])
            if self._best is not None and len(right) >= ROUND and _clearly_worse(right, self._best[: len(right)]):
                return None
        if self._best is None or right.sum() > self._best.sum():
            self._best = right
        self._scores[text] = torch.cat(every)
        return Candidate(text, int(right.sum()) / len(right), nll=prompt_nll(self._tower, text))

    def _certainty(self, text: str) -> float:
        return _certainty(self._scores[text], self._held_out)


@torch.no_grad()
def label_scores(
    tower: LanguageTower,
    task: LabelTask,
    prompt: str,
    examples: Examples,
    between: Callable[[], None] | None = None,
) -> Iterator[Tensor]:
    """Log-probabilities [M, C] of the labels of some texts after others, on the CPU, in the order of `examples`.

    The texts are tokenized again, whole. What all of them begin with is read once. Where memory is short, fewer are read at
    once.

    Raises PezError if a prompt leaves no room for texts.
    """
    labels = Labels(task, tower.vocabulary, tower.device)
    most = tower.vocabulary.room - labels.longest
    rows = task.encode(tower.vocabulary, prompt, examples.texts, most)
    shared = _common_start(rows)
    start = torch.tensor(rows[0][:shared], dtype=torch.long, device=tower.device)
    state, together = tower.begin(tower.embed(start)[None]), ROWS
    for first in range(0, len(rows), ROUND):
        some = [row[shared:] for row in rows[first : first + ROUND]]
        found = torch.empty(len(some), len(task.names))
        left = sorted(range(len(some)), key=lambda i: len(some[i]))  # rows of like length together: less padding
        while left:
            if between:
                between()
            own = left[:together]
            try:
                ids, lengths = padded([some[i] for i in own], tower.device)
                said = tower.read(tuple(t.expand(len(own), *t.shape[1:]) for t in state), ids, lengths, labels.words)
                found[own] = labels.log_probabilities(said).cpu()
                left = left[together:]
                continue
            except torch.cuda.OutOfMemoryError:
                if len(own) == 1:
                    raise
                together = len(own) // 2
            torch.cuda.empty_cache()  # here, where the error no longer keeps tensors alive
        yield found


def calibrated(
    tower: LanguageTower,
    task: LabelTask,
    prompt: str,
    examples: Examples,
    between: Callable[[], None] | None = None,
) -> LabelTask:
    """The task with the shifts for which, after the prompt, labels are as frequent as among the examples."""
    plain = task.shifted(())
    said = torch.cat(list(label_scores(tower, plain, prompt, examples, between)))
    return plain.shifted(shifts_for(said.double(), shares_of(examples).double()).tolist())


@torch.no_grad()
def prompt_nll(tower: LanguageTower, prompt: str) -> float | None:
    """Nats per word that a prompt surprises its own model by; None where the model cannot say, and for a single token."""
    ids = tower.vocabulary.encode(prompt)
    counted = len(ids) if tower.vocabulary.start_ids else len(ids) - 1
    if counted < 1 or not tower.reads_prompts:
        return None
    row = torch.tensor([ids], device=tower.device)
    mean = float(tower.prompt_log_probability(tower.embed(row), row))
    return -mean * counted / max(1, len(prompt.split()) - (len(ids) - counted))


def prompt_contributions(
    tower: LanguageTower,
    task: LabelTask,
    prompt: str,
    held_out: Examples,
    explained: int,
    between: Callable[[], None] | None = None,
) -> tuple[Token, ...]:
    """The tokens of a prompt, each with the nats of the right label that are lost without it.

    explained: of how many of the texts that is the mean; 0 for no tokens.
    """
    spans = token_spans(tower.vocabulary, prompt) if explained else []
    some = held_out.select(range(min(explained, len(held_out))))
    values = []
    for start, end in [(0, 0), *spans] if spans else []:
        left = " ".join((prompt[:start] + prompt[end:]).split())
        values.append(_certainty(torch.cat(list(label_scores(tower, task, left, some, between))), some))
    return tuple(
        Token(prompt[start:end], values[0] - value, start, end)
        for (start, end), value in zip(spans, values[1:], strict=True)
    )


def accuracy_of(
    prompt: str, scores: Tensor, examples: Examples, nll: float | None, shifts: tuple[float, ...]
) -> Accuracy:
    """From the log-probabilities [E, C] of the labels of each example. shifts: which these have in them."""
    chosen = scores.argmax(1).tolist()
    confusion = [[0] * len(examples.names) for _ in examples.names]
    for wanted, own in zip(examples.labels, chosen, strict=True):
        confusion[wanted][own] += 1
    right = sum(row[label] for label, row in enumerate(confusion))
    return Accuracy(prompt, right, len(examples), tuple(map(tuple, confusion)), nll, shifts)


def _certainty(scores: Tensor, examples: Examples) -> float:
    """The mean log-probability of the right label."""
    return float(scores[torch.arange(len(examples)), torch.tensor(examples.labels)].mean())


def _common_start(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with; each row keeps one token at least."""
    least = min(map(len, rows)) - 1
    return next((i for i in range(least) if any(row[i] != rows[0][i] for row in rows)), least)


def _clearly_worse(right: Tensor, best: Tensor) -> bool:
    """Whether the first prompt labels fewer of the same texts right than the best, beyond the error of the difference."""
    lost, gained = int((best & ~right).sum()), int((right & ~best).sum())
    return lost - gained > CLEARLY * math.sqrt(lost + gained)
