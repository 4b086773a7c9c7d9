"""A few texts with labels for tiny language models, and what a search asks about them."""

from __future__ import annotations

from typing import Any

from pez_core.models.towers import tower_of
from pez_core.objectives.labels import LabelObjective
from pez_core.targets.labelled import Examples
from pez_core.targets.task import LabelTask
from pez_core.text.template import template_of

TASK = LabelTask.of(["bad", "good"], ["terrible|boring", "great film"], " it was")
TEXTS = ("a boring story", "the film was good", "a terrible movie !", "funny dog", "the actor was bad", "a great cat")
EXAMPLES = Examples(TEXTS, (0, 1, 0, 1, 0, 1), TASK.names)


def objective_of(
    model: Any, fluency: float = 0.0, batch: int = 6, compared: int = 6, calibrated: bool = False
) -> LabelObjective:
    """For prompts of three tokens; batch: texts of a gradient."""
    tower = tower_of(model)
    template = template_of(tower.vocabulary, tower.name, 3, mode="any")
    return LabelObjective(tower, TASK, EXAMPLES, template, batch, compared, fluency, calibrated)
