"""Times a step of the search for a prompt that classifies: ours beside the published loop's.

    python -m benchmarks.speed --models gpt2-large opt-2.7b [--restarts 1 8] [--device D] [--precision P]

The models have random weights in real shapes. A step is that of PEZ: ten tokens, BATCH texts of TEXT tokens, forward and backward.
"""

from __future__ import annotations

import gc
from typing import Any

import torch
from torch import Tensor

from benchmarks.published_text_loop import PublishedTextLoop
from pez_core.checks.measuring import extra_megabytes, in_turn
from pez_core.config.classifier import ClassifierConfig
from pez_core.objectives.labels import LabelObjective
from pez_core.search import Stepper, make_stepper
from pez_core.search.adafactor import AdafactorPezSearch
from pez_core.targets.labelled import Examples
from pez_core.targets.task import LabelTask
from pez_core.text.template import Template
from pez_core.towers.language import CausalTower

SHAPES: dict[str, dict[str, Any]] = {
    "gpt2-large": {"kind": "GPT2", "n_embd": 1280, "n_layer": 36, "n_head": 20},
    "opt-2.7b": {
        "kind": "OPT",
        "hidden_size": 2560,
        "ffn_dim": 10240,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "word_embed_proj_dim": 2560,
    },
}
PROMPT, BATCH, TEXT, WORDS = 10, 16, 30, 50257
COMPARED = 10  # steps in which both loops must find the same tokens


class _Numbers:
    """A vocabulary of numbers: random weights need no words."""

    size = WORDS
    room = 1024
    known = None
    start_ids: tuple[int, ...] = ()
    end_ids: tuple[int, ...] = ()
    token_texts = [""] * WORDS

    def encode(self, text: str) -> list[int]:
        """The numbers of a text."""
        return [int(part) for part in text.split()]

    def encode_all(self, texts: Any) -> list[list[int]]:
        """`encode` for many texts."""
        return [self.encode(text) for text in texts]


class _Bare(Template):
    """No fixed words, every token allowed."""

    def __init__(self) -> None:
        self.length, self.before, self.after, self.bans, self.kept = PROMPT, [], [], None, []
        self.allowed = torch.ones(WORDS, dtype=torch.bool)


def random_language(name: str, device: torch.device) -> Any:
    """A model of transformers in the shape of `name`, with random weights."""
    import transformers

    shape = dict(SHAPES[name])
    kind = shape.pop("kind")
    config = getattr(transformers, f"{kind}Config")(vocab_size=WORDS, **shape)
    torch.manual_seed(0)
    with torch.device(device):
        module = getattr(transformers, "GPT2LMHeadModel" if kind == "GPT2" else "OPTForCausalLM")(config)
    return module.eval().requires_grad_(False)


def ours(tower: CausalTower, examples: Examples, task: LabelTask, start: Tensor) -> Stepper[Any]:
    """Our PEZ over all tokens, ready to step from `start` [R, L]."""
    config = ClassifierConfig(restarts=len(start), length=PROMPT, batch_size=None, steps=10_000)
    objective = LabelObjective(tower, task, examples, _Bare(), BATCH, BATCH)
    search = AdafactorPezSearch(objective, config, config.steps, [torch.Generator()])
    return make_stepper(search, search.begin(start), tower.device)


def measure(name: str, restarts: list[int], device: torch.device, precision: str, turns: int) -> list[dict[str, Any]]:
    """A row, as those of `speed`, for each number of restarts of one shape."""
    module = random_language(name, device)
    plain = CausalTower(module, _Numbers(), name)  # pyright: ignore[reportArgumentType]
    half = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(
        precision, torch.float16 if device.type == "cuda" and precision == "auto" else torch.float32
    )
    tower = plain.in_format(half)
    draw = torch.Generator().manual_seed(1)
    texts = torch.randint(WORDS, (BATCH, TEXT), generator=draw).tolist()
    task = LabelTask.of(["a", "b"], ["17", "18"], " 5")
    labels = [number % 2 for number in range(BATCH)]
    examples = Examples(tuple(" ".join(map(str, text)) for text in texts), tuple(labels), task.names)
    rows = []
    for count in restarts:
        start = torch.randint(WORDS, (count, PROMPT), generator=draw).to(device)

        def loop(start: Tensor = start[0]) -> PublishedTextLoop:
            return PublishedTextLoop(module, start, [[*text, 5] for text in texts], labels, [17, 18])

        published, own = loop(), ours(tower, examples, task, start)
        for warm_up in (published.step, own.advance):
            warm_up()
        theirs, mine = in_turn([published.step, own.advance], device, turns, 5 if device.type == "cuda" else 1)
        same = compare(loop(), ours(plain, examples, task, start[:1])) if count == restarts[0] else None
        del published, own
        gc.collect()
        rows.append(
            {
                "model": name,
                "precision": str(half).removeprefix("torch."),
                "restarts": count,
                "published_ms": theirs,
                "ours_ms": mine,
                "faster": theirs / mine * count,
                "megabytes": extra_megabytes(lambda start=start: ours(tower, examples, task, start).advance(), device),
                "published_megabytes": extra_megabytes(loop().step, device),
                "same_steps": same,
            }
        )
    return rows


def compare(published: PublishedTextLoop, own: Stepper[Any]) -> int:
    """In how many of COMPARED steps both loops, run separately in float32, project to the same ids."""
    alike = 0
    for _ in range(COMPARED):
        ids = published.project().tolist()
        published.step()
        own.advance()
        if own.state.current[0].tolist() != ids:
            break
        alike += 1
    return alike


HEADER = (
    f"{'model':12}{'format':>9}{'restarts':>9}{'published':>11}{'ours':>9}{'a start':>9}{'faster':>8}{'MB':>7}{'MB pub.':>9}"
    f"{'same ids':>10}"
)


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    memory, theirs = (
        f"{row[key]:.0f}" if row[key] is not None else "-" for key in ("megabytes", "published_megabytes")
    )
    same = "" if row["same_steps"] is None else f"{row['same_steps']}/{COMPARED}"
    return (
        f"{row['model']:12}{row['precision']:>9}{row['restarts']:9}{row['published_ms']:11.1f}{row['ours_ms']:9.1f}"
        f"{row['ours_ms'] / row['restarts']:9.1f}{row['faster']:8.1f}{memory:>7}{theirs:>9}{same:>10}"
    )
