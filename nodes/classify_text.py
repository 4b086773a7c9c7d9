"""PEZ Classify Text."""

from __future__ import annotations

import logging
import weakref
from functools import lru_cache

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy_api.latest import io

from ..pez_core import PezError
from ..pez_core.objectives.fluency import LanguageModel
from ..pez_core.targets.task import LabelTask
from .load_language import given_or_embedded
from .node import PezNode
from .wires import Classifier, PezClassifier, PezLanguageModel

log = logging.getLogger(__name__)


class PEZClassifyText(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZClassifyText",
            display_name="PEZ Classify Text",
            category="PEZ",
            description="Names the label of a text, such as its mood, with a prompt from PEZ Learn Classifier Prompt.",
            search_aliases=["sentiment", "label text", "text switch", "mood", "zero-shot"],
            inputs=[
                io.String.Input(
                    "text",
                    multiline=True,
                    default="",
                    dynamic_prompts=False,
                    tooltip="The text to classify. Of a long one the beginning is read, as much as the model has room for.",
                ),
                PezClassifier.Input("classifier", tooltip="From PEZ Learn Classifier Prompt."),
                PezLanguageModel.Input(
                    "language_model",
                    optional=True,
                    tooltip="The language model that the classifier was learned with. Another one is calibrated anew, and may do as well "
                    "or worse. Not needed for the embedded one.",
                ),
            ],
            outputs=[
                io.String.Output(
                    "label", display_name="label", tooltip="The most probable label. Fits any text input."
                ),
                io.Float.Output("probability", display_name="probability", tooltip="Its probability, 0 to 1."),
                io.Int.Output(
                    "number",
                    display_name="number",
                    tooltip="The label's number, from 0, in alphabetical order of the labels: for nodes that switch.",
                ),
            ],
        )

    @classmethod
    def execute(cls, text: str, classifier: Classifier, language_model: LanguageModel | None = None) -> io.NodeOutput:
        from ..pez_core.classification import classify  # imported late: open_clip would slow down every start

        if not text.strip():
            raise PezError("There is no text to classify: write one, or connect one.")
        model = given_or_embedded(language_model)
        if model.name != classifier.model:
            if language_model is None:
                raise PezError(
                    f"This classifier was learned with the language model {classifier.model}: connect that to language_model."
                )
            log.warning("The classifier was learned with %s and is used with %s.", classifier.model, model.name)
        task = _task_for(weakref.ref(model), classifier)
        between = throw_exception_if_processing_interrupted
        (labels,) = classify(model, task, classifier.prompt, [text], between)
        number = max(range(len(labels)), key=list(labels.values()).__getitem__)
        label = task.names[number]
        return io.NodeOutput(label, labels[label], number)


@lru_cache(maxsize=16)
def _task_for(model: weakref.ref[LanguageModel], classifier: Classifier) -> LabelTask:
    """The classifier's task, calibrated for this model: another one names other labels too readily. Remembered, because it
    reads a hundred texts and more, and lists of texts come one by one."""
    from ..pez_core.classification import calibrate

    used = model()
    if used is None or used.name == classifier.model or classifier.calibrating is None:
        return classifier.task
    between = throw_exception_if_processing_interrupted
    return calibrate(used, classifier.task, classifier.prompt, classifier.calibrating, between)
