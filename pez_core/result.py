"""What an inversion reports while it runs and returns when it ends."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Candidate:
    """A prompt and its similarity: that of this very text, tokenised afresh, at full length.

    parts: where the model is made of several, the similarity in the eyes of each of these, by name.
    """

    text: str
    similarity: float
    parts: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values; `parts` only where there are several."""
        return {"text": self.text, "similarity": self.similarity, **({"parts": self.parts} if self.parts else {})}


@dataclass(frozen=True)
class Token:
    """A token of a prompt as text, and by how much the similarity falls when it is left out (below 0: it rises)."""

    text: str
    importance: float


@dataclass(frozen=True)
class Progress:
    """Where a run stands: `step` of `steps` done, the best prompt so far ('' before the first), its similarity.

    restarts: the best similarity of each restart that still runs, by its number, as the search sees it.
    """

    step: int
    steps: int
    prompt: str
    similarity: float
    seconds: float
    restarts: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class InversionResult:
    """The outcome of `invert`.

    candidates: distinct prompts, best first; at least one.
    tokens: those of the best prompt, with what each is worth.
    trace: the best similarity after each step that was run.
    steps: steps that were run; passes: what they took of the text encoder, one prompt forward or backward being
    one; seconds: wall time; stopped: why the run ended ("steps", "patience", "time limit" or "asked to").
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

    @property
    def prompt(self) -> str:
        """The best text, prefix and suffix included."""
        return self.candidates[0].text

    @property
    def similarity(self) -> float:
        """The best text's similarity, in -1..1."""
        return self.candidates[0].similarity

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`, without the trace."""
        return {
            "prompt": self.prompt,
            "similarity": self.similarity,
            "candidates": [candidate.to_json() for candidate in self.candidates],
            "tokens": [asdict(token) for token in self.tokens],
            "steps": self.steps,
            "passes": self.passes,
            "seconds": round(self.seconds, 3),
            "model": self.model,
            "seed": self.seed,
            "stopped": self.stopped,
        }
