"""PEZ Doctor."""

from __future__ import annotations

import time
from typing import Any

import comfy.model_management as management
import comfy.utils
from comfy_api.latest import io

from ..pez_core import ClipModel
from .health import comfyui_version
from .node import PezNode
from .states import Speaker
from .wires import PezModel


class PEZDoctor(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZDoctor",
            display_name="PEZ Doctor",
            category="PEZ",
            description="Looks at this machine and at a model on it, and reports what is ok, slow or wrong and what to do: to be pasted "
            "into an issue. It takes seconds, with large models minutes.",
            search_aliases=["diagnose", "health check", "bug report", "benchmark"],
            is_output_node=True,  # it shows its report
            inputs=[
                PezModel.Input(
                    "pez_model",
                    optional=True,
                    tooltip="The model to look at: the one that you use. Without it the embedded one. Optional.",
                )
            ],
            outputs=[
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="The report as text. No folder of your machine is in it.",
                )
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    def fingerprint_inputs(cls, **_: Any) -> int:
        return time.time_ns()  # the machine may have changed

    @classmethod
    def execute(cls, pez_model: ClipModel | None = None) -> io.NodeOutput:
        from ..pez_core.doctor import CHECKS, examine, line  # imported late: open_clip would slow down every start

        speaker, lines = Speaker(cls.hidden), []
        bar = comfy.utils.ProgressBar(len(CHECKS), node_id=cls.hidden.unique_id)

        def show(finding: Any) -> None:
            management.throw_exception_if_processing_interrupted()
            lines.append(line(finding))
            bar.update_absolute(len(lines))
            speaker.send("pez.report", text="\n".join(lines))

        report = examine(
            device=management.get_torch_device(),
            on_finding=show,
            model=pez_model,
            between=management.throw_exception_if_processing_interrupted,
        )
        text = f"{report.text()}\nComfyUI {comfyui_version()}"
        return io.NodeOutput(text, ui={"text": [text]})
