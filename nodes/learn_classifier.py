"""PEZ Learn Classifier Prompt."""

from __future__ import annotations

import hashlib
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy_api.latest import io

from ..pez_core.config import SETTINGS, Setting
from ..pez_core.config.classifier import CLASSIFIER_SETTINGS, ClassifierConfig
from ..pez_core.objectives.fluency import LanguageModel
from ..pez_core.targets.labelled import Examples
from ..pez_core.targets.task import SUFFIX, LabelTask
from . import labelled_input
from .load_language import given_or_embedded
from .memory import digest_name, remember_as
from .metadata import record
from .node import PezNode, not_text
from .outcome import outcome
from .reporting import Reporter
from .searching import HIDDEN
from .settings import candidate_input, widget_of
from .wires import Classifier, NodeResult, PezClassifier, PezLanguageModel

if TYPE_CHECKING:
    from ..pez_core.classification import ClassifierResult

ACCURACY = "accuracy"


class PEZLearnClassifier(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZLearnClassifier",
            display_name="PEZ Learn Classifier Prompt",
            category="PEZ",
            description="Learns from labelled texts a prompt that makes a language model name the label of other texts. For PEZ "
            "Classify Text.",
            search_aliases=["text classification", "prompt tuning", "sentiment", "few-shot", "soft prompt"],
            inputs=[
                io.Combo.Input(
                    "examples",
                    options=labelled_input.choices(),
                    default=labelled_input.SAMPLE,
                    tooltip="Texts with labels: a CSV, TSV, JSON Lines or Parquet file in ComfyUI's input folder, with the columns "
                    "text and label; the sample; or the text below.",
                ),
                io.String.Input(
                    "text",
                    multiline=True,
                    default="",
                    dynamic_prompts=False,
                    placeholder="cheerful: a sunny child with balloons\ngloomy: an abandoned city under dark clouds",
                    tooltip="Only with The text below: one text per line, its label and a colon before it.",
                ),
                io.String.Input(
                    "label_words",
                    default="",
                    placeholder="happy|warm, sad|lonely",
                    dynamic_prompts=False,
                    tooltip="What the model says for each label, in alphabetical order of the labels (numbers by size), separated by "
                    "commas; several words for a label by |. Empty: the labels themselves.",
                ),
                io.String.Input(
                    "suffix",
                    default=SUFFIX,
                    dynamic_prompts=False,
                    tooltip="Follows each text and asks for the word, with the space that it begins with: The film was dull. It was ...",
                ),
                widget_of(_own("length", "Tokens of the prompt; most words are one or two."), optional=False),
                widget_of(SETTINGS["seed"], optional=False),
                widget_of(
                    _own("steps", "Steps of the search. Every ten steps prompts are tried on the held-out texts."),
                    optional=False,
                ),
                io.Int.Input(
                    "hold_out",
                    default=0,
                    min=0,
                    max=1_000_000,
                    tooltip="Texts that are not learned from: they choose the prompt. 0: a fifth of all, 500 at most.",
                ),
                candidate_input(),
                PezLanguageModel.Input(
                    "language_model",
                    optional=True,
                    tooltip="From PEZ Load Language Model: the model that will classify. Without it the embedded one, which knows "
                    "captions of pictures only. Optional.",
                ),
                widget_of(
                    _own(
                        "calibration",
                        "Texts to learn from that tell which labels the model names too readily; these are held back. About a "
                        "hundred suffice, with several of each label. 0: none, as in the paper.",
                    )
                ),
            ],
            outputs=[
                io.String.Output(
                    "prompt",
                    display_name="prompt",
                    tooltip="The learned prompt. It goes before a text, and is meant for the language model alone. Its calibration "
                    "comes with classifier only.",
                ),
                io.Float.Output(
                    ACCURACY,
                    display_name=ACCURACY,
                    tooltip="The share of held-out texts that get their label, with the calibration, 0 to 1. They chose the prompt: on "
                    "other texts it is lower.",
                ),
                io.String.Output(
                    "candidates",
                    display_name="candidates",
                    is_output_list=True,
                    tooltip="The prompts that did best, best first.",
                ),
                PezClassifier.Output("classifier", display_name="classifier", tooltip="Connect to PEZ Classify Text."),
            ],
            hidden=HIDDEN,
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, examples: str | None) -> bool | str:
        """Replaces ComfyUI's check of the list. A connected input is None here; it is checked when it is read."""
        if examples is None:
            return True
        return not_text(examples=examples) or labelled_input.misfit(examples) or True

    @classmethod
    def fingerprint_inputs(cls, examples: str | None = None, **others: Any) -> str:
        return labelled_input.fingerprint(examples or "")

    @classmethod
    def execute(
        cls,
        examples: str,
        text: str,
        label_words: str,
        suffix: str,
        length: int,
        seed: int,
        steps: int,
        hold_out: int,
        candidate: int = 1,
        language_model: LanguageModel | None = None,
        calibration: int = CLASSIFIER_SETTINGS["calibration"].default,
    ) -> io.NodeOutput:
        # imported late: open_clip would slow down every start
        from ..pez_core.classification import calibration_texts, learn_classifier, pick_prompt

        model = given_or_embedded(language_model)
        config = ClassifierConfig(length=length, seed=seed, steps=steps, calibration=calibration)
        with Reporter(cls.hidden, 1, seed, model.name, ACCURACY) as report:
            every = labelled_input.read(examples, text)
            words = [each.strip() for each in label_words.split(",")] if label_words.strip() else None
            task = LabelTask.of(every.names, words, suffix)
            train, held_out = every.hold_out(hold_out or None, seed)
            unused = (*labelled_input.unused(every), *train.skipped)
            report.begin_part(0, None, unused)
            digest = _digest(train, held_out)
            learned = remember_as(
                ("classifier", weakref.ref(model), task, digest, config),
                lambda: learn_classifier(model, task, train, held_out, config, report),
                candidate,
            )
            chosen = pick_prompt(model, learned, held_out, candidate, throw_exception_if_processing_interrupted)
        warnings = (*unused, *chosen.search.warnings)
        name = digest_name(f"{model.name} {config!r} {task!r}".encode() + digest)
        number = min(candidate, len(chosen.search.candidates))
        found = NodeResult(replace(chosen.search, warnings=warnings), config, (), number, name)
        return _output(cls, found, chosen, calibration_texts(train, config))


def _output(
    node: type[PezNode], found: NodeResult, chosen: ClassifierResult, calibrating: Examples | None
) -> io.NodeOutput:
    """What the node returns and displays. calibrating: the texts that calibrated it."""
    kind = node.SCHEMA.node_id
    shown = {**outcome(kind, found), "without": chosen.without.accuracy}
    settings = {"settings": found.to_json()["settings"]}
    record(node.hidden, [{"node": kind, **chosen.to_json(), **settings}], [shown])
    return io.NodeOutput(
        chosen.prompt,
        chosen.accuracy,
        [each.text for each in chosen.search.candidates],
        Classifier(chosen.task, chosen.prompt, chosen.search.model, calibrating),
        ui={"text": [chosen.prompt], "pez": [shown], "pez_path": [str(node.hidden.unique_id)]},
    )


def _own(name: str, help: str) -> Setting:
    """A setting of classifiers, which have no presets."""
    return replace(CLASSIFIER_SETTINGS[name], help=help, unset=None, unset_help="")


def _digest(*parts: Examples) -> bytes:
    """The same for the same texts with the same labels."""
    content = hashlib.sha256()
    for part in parts:
        for pair in zip(part.labels, part.texts, strict=True):
            content.update(repr(pair).encode())
        content.update(repr(part.names).encode())
    return content.digest()
