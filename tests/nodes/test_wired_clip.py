"""A connected CLIP, with a stand-in for ComfyUI's. Needs no ComfyUI."""

from __future__ import annotations

import pytest


class Tokenizer:
    pass


class Clip:
    """Reads as `model` does, with `change` applied to its answer."""

    def __init__(self, model, change=lambda answer: answer, tokenizer=None):
        self._words, self._change = model.vocabulary, change
        if tokenizer:
            self.tokenizer = tokenizer

    def tokenize(self, text):
        words = self._words
        ids = words.encode(text.replace("\\(", "(").replace("\\)", ")"))
        return self._change({"l": [[(each, 1.0) for each in (*words.start_ids, *ids, *words.end_ids)]]})


@pytest.fixture(scope="module")
def core(pack):
    return pack("pez_core")


@pytest.fixture(scope="module")
def own(core):
    return core.load_model()


@pytest.fixture(scope="module")
def wired(pack, own):
    return lambda *changes, **more: pack("nodes.wired_clip").WiredClip(Clip(own, *changes, **more), own)


def test_the_same_tokens_are_accepted(wired):
    assert wired().accepts("a (blue) bird")
    assert wired(lambda answer: {**answer, "t5xxl": [[(1, 0.5)]]}).accepts("a bird")  # only CLIP's kind counts


@pytest.mark.parametrize(
    "change",
    [
        lambda answer: {"g": [[(token + 1, weight) for token, weight in answer["l"][0]]]},
        lambda answer: {"l": [[(token, 1.1) for token, _ in answer["l"][0]]]},
        lambda answer: {"l": answer["l"] * 2},
        lambda answer: {**answer, "h": [answer["l"][0][:2]]},
    ],
    ids=["tokens", "weights", "pieces", "one of two"],
)
def test_other_tokens_are_refused(wired, change):
    assert not wired(change).accepts("a blue bird")


def test_a_clip_without_a_clip_tokenizer_is_refused(core, wired):
    with pytest.raises(core.PezError, match=r"tokenizer is t5xxl, llama.*disconnect"):
        wired(lambda answer: {"t5xxl": [], "llama": []})
    with pytest.raises(core.PezError, match="tokenizer is list"):
        wired(lambda answer: [])


def test_clips_that_share_a_tokenizer_read_alike(wired):
    one, other = Tokenizer(), Tokenizer()
    first, again, another = wired(tokenizer=one), wired(tokenizer=one), wired(tokenizer=other)
    assert first.reader == again.reader
    assert hash(first.reader) == hash(again.reader)
    assert first.reader != another.reader
    assert wired().reader != wired().reader
