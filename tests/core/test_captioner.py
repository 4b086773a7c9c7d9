"""The captioner that stands for a person's own in the tables, and its training."""

from __future__ import annotations

import argparse
import statistics

import pytest
import torch

from benchmarks.captioner import END, START, Captioner, blank_eyes, load_captioner, words_of
from benchmarks.pictures import held_out
from training import train_captioner


@pytest.fixture(scope="module")
def captioner() -> Captioner:
    return load_captioner()


def shared(text: str, caption: str) -> float:
    """How much of the caption's words a text has."""
    wanted = set(words_of(caption))
    return len(wanted & set(words_of(text))) / len(wanted)


def test_captions_say_what_is_in_the_picture(captioner):
    pictures, captions = (each[:24] for each in held_out("choose"))
    texts = captioner.likeliest(pictures)
    own = statistics.mean(map(shared, texts, captions))
    other = statistics.mean(map(shared, texts, [*captions[1:], captions[0]]))
    assert own > 0.5 > other + 0.1
    assert not any(" ," in text or "  " in text for text in texts)


def test_captions_are_drawn_by_the_seed(captioner):
    pictures = held_out("choose")[0][:2]
    drawn = captioner.drawn(pictures, 4, 0.6, 3)
    assert [len(each) for each in drawn] == [4, 4]
    assert drawn == captioner.drawn(pictures, 4, 0.6, 3) != captioner.drawn(pictures, 4, 0.6, 4)


def test_more_beams_find_likelier_captions(captioner):
    """One beam takes the likeliest word each time."""
    pictures = held_out("choose")[0][:12]
    numbers = {word: i for i, word in enumerate(captioner.known) if word}

    def said(texts: list[str]) -> torch.Tensor:
        """The log-probability of each text, computed in one piece."""
        found = []
        for picture, text in zip(pictures, texts, strict=True):
            row = torch.tensor([START, *(numbers[word] for word in words_of(text)), END])
            log = captioner.say(captioner._seen([picture]), row[None, :-1]).log_softmax(-1)[0]
            found.append(log.gather(1, row[1:, None]).sum())
        return torch.stack(found)

    word_by_word = [text for (text,) in captioner.drawn(pictures, 1, 1e-6, 0)]
    assert captioner.likeliest(pictures, 1) == word_by_word
    gain = said(captioner.likeliest(pictures)) - said(word_by_word)
    assert gain.min() > -1.0  # a beam may lose what would have been the best
    assert gain.mean() > 0.01


def test_a_word_does_not_depend_on_those_after_it(captioner):
    seen = captioner.see(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    before = torch.tensor([[START, 7, 8, 9]])
    whole = captioner.say(seen, before)
    assert torch.allclose(whole[:, :2], captioner.say(seen, before[:, :2]), atol=1e-4)


def test_rows_end_with_the_end_and_hold_out_the_last(monkeypatch):
    monkeypatch.setattr(train_captioner, "HELD_OUT", 1)
    monkeypatch.setattr(train_captioner, "BATCH", 2)
    shown = train_captioner.Shown(torch.arange(4), ["A cat, red", "a dog", "a cat", "a"])
    assert shown.words == ["", "", ",", "a", "cat", "dog", "red"]
    pictures, rows, text = shown.take(torch.tensor([0, 1]))
    assert pictures.tolist() == [0, 1]
    assert [[shown.words[i] for i in row[own]] for row, own in zip(rows, text, strict=True)] == [
        ["a", "cat", ",", "red", ""],
        ["a", "dog", ""],
    ]
    assert rows[text][-1] == END
    batches = shown.batches(torch.Generator().manual_seed(1))
    assert {i for _ in range(8) for i in next(batches).tolist()} == {0, 1, 2}
    assert torch.cat(shown.held_out()).tolist() == [3]


def test_what_another_knows_is_taken_over_word_by_word():
    other = Captioner(blank_eyes(), ["", "", "a", "cat", "red"]).requires_grad_(False)
    net = Captioner(blank_eyes(), ["", "", "cat", "dog"]).requires_grad_(False)
    other.bias += torch.arange(5)
    dog = net.words[3].clone()
    train_captioner.take_over(net, other)
    assert torch.equal(net.words[:3], other.words[[START, END, 3]])
    assert torch.equal(net.words[3], dog)
    assert net.bias.tolist() == [0, 1, 3, 0]
    assert torch.equal(net.near.weight, other.near.weight)


@pytest.mark.slow
def test_a_trained_captioner_is_read_again(drawings, tmp_path, monkeypatch, capsys):
    for name, value in {"HELD_OUT": 8, "BATCH": 8, "WARM_UP": 1}.items():
        monkeypatch.setattr(train_captioner, name, value)
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    out = tmp_path / "captioner.safetensors"
    given = argparse.Namespace(
        drawings=drawings, out=out, begin=None, state=tmp_path / "state", scenes=32, minutes=0.05, threads=1, rate=1e-3
    )
    train_captioner.train(given)
    made = load_captioner(out)
    steps = torch.load(given.state, weights_only=True)["step"]
    train_captioner.train(given)  # its minutes are over
    assert torch.load(given.state, weights_only=True)["step"] == steps > 0
    assert torch.equal(load_captioner(out).near.weight, made.near.weight)
    (text,) = made.likeliest(held_out("choose")[0][:1])
    assert set(words_of(text)) <= set(made.known)
    given.begin, given.state, given.rate = out, tmp_path / "other", 0.0
    train_captioner.train(given)
    assert torch.equal(load_captioner(out).near.weight, made.near.weight)
    torch.manual_seed(0)
    assert not torch.allclose(made.near.weight, Captioner(blank_eyes(), made.known).near.weight, atol=1e-3)
