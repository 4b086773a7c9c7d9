"""What an inversion reports while it runs and returns when it ends."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from .errors import PezError


@dataclass(frozen=True)
class Candidate:
    """A prompt and its exact similarity: of this text, tokenized again, at full length.

    parts: for a combined model, the similarity according to each of its models, by name.
    nll: of readable searches, nats per word that the text surprises the language model by; lower reads more naturally.
    """

    text: str
    similarity: float
    parts: dict[str, float] = field(default_factory=dict)
    nll: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values; `parts` and `nll` only if there are any."""
        plain: dict[str, Any] = {"text": self.text, "similarity": self.similarity}
        return plain | ({"parts": self.parts} if self.parts else {}) | ({} if self.nll is None else {"nll": self.nll})


@dataclass(frozen=True)
class Token:
    """A token of a prompt: the characters `start` to `end` of the text, and how much they contribute: the
    drop in similarity when they are cut out (below 0: it rises)."""

    text: str
    contribution: float
    start: int
    end: int

    @property
    def importance(self) -> float:
        """The contribution, by its older name; will be removed in the next version."""
        return self.contribution

    def to_json(self) -> dict[str, Any]:
        """Plain values; the contribution also by its older name."""
        return {**asdict(self), "importance": self.contribution}


@dataclass(frozen=True)
class Progress:
    """The progress of a run: `step` of `steps` done, and the best prompt so far ('' before the first).

    similarity: the prompt's exact score; None where it was not scored, so that scoring takes little of a run's time.
    best: the search's estimate of it, which never falls. restarts: the estimate of each restart's best that still runs,
    by its number. Estimates may differ slightly from exact scores.
    """

    step: int
    steps: int
    prompt: str
    similarity: float | None
    best: float
    seconds: float
    restarts: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class InversionResult:
    """The outcome of `invert`.

    candidates: distinct prompts, best first; at least one. Of a readable search, the best for several readabilities,
        those for the chosen one first.
    tokens: those of the best prompt, with their contributions.
    trace: the best similarity after each step, as estimated by the search.
    steps: steps taken.
    passes: passes of the text encoder, one for each prompt forward and one for each backward.
    seconds: wall time.
    stopped: why the run ended: "steps", "patience", "time limit", or "asked to" (by the caller).
    warnings: what a person should know of the prompts, in sentences.
    measure: what the exact scores are: "similarity", or "accuracy" for prompts that classify.
    began_with: of several texts of the user's own, the one that a readable search began with; "" otherwise.
    """

    candidates: tuple[Candidate, ...]
    tokens: tuple[Token, ...]
    trace: tuple[float, ...]
    steps: int
    passes: int
    seconds: float
    seed: int
    model: str
    stopped: str
    warnings: tuple[str, ...] = ()
    measure: str = "similarity"
    began_with: str = ""

    @property
    def prompt(self) -> str:
        """The best text, prefix and suffix included."""
        return self.candidates[0].text

    @property
    def similarity(self) -> float:
        """The best text's similarity, in -1..1."""
        return self.candidates[0].similarity

    def candidates_from(self, number: int) -> tuple[Candidate, ...]:
        """The candidates with the one of this number (from 1) moved to the front; the last one if there are fewer.

        Raises PezError for a number below 1.
        """
        if not isinstance(number, int) or number < 1:
            raise PezError(f"The number of a candidate must be 1 or more, not {number!r}.")
        place = min(number, len(self.candidates)) - 1
        return self.candidates[place], *self.candidates[:place], *self.candidates[place + 1 :]

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`, without the trace; `began_with` only if there is one."""
        return {
            "prompt": self.prompt,
            "similarity": self.similarity,
            "candidates": [candidate.to_json() for candidate in self.candidates],
            "tokens": [token.to_json() for token in self.tokens],
            "steps": self.steps,
            "passes": self.passes,
            "seconds": round(self.seconds, 3),
            "model": self.model,
            "seed": self.seed,
            "stopped": self.stopped,
            "warnings": list(self.warnings),
            **({"began_with": self.began_with} if self.began_with else {}),
        }
