"""Where the towers compute: the default, and a program that manages memory itself."""

from __future__ import annotations

import copy
import pickle
import threading

import pytest
import torch
from stand_ins import random_picture, small

from benchmarks.judges import JUDGES
from pez_core import ClipModel, PezError, PictureSource, TextSource, combine, load_model
from pez_core.models.loading import load_folder
from pez_core.targets.sources import make_target
from pez_core.towers.placement import MovePlacement


class Recorded:
    """A placement that moves nothing and records its calls. The first `full` calls run out of memory."""

    def __init__(self, full: int = 0):
        self.calls, self._full = [], full

    def bring(self, modules, room_bytes=0):
        self.calls.append(("bring", *modules, room_bytes > 0))
        if self._full:
            self._full -= 1
            raise torch.cuda.OutOfMemoryError("no memory")
        return torch.device("cpu")

    def send_home(self, module):
        self.calls.append(("home", module))

    def fall_back(self, module):
        self.calls.append(("fall back", module))
        return torch.device("cpu")


@pytest.fixture
def own() -> ClipModel:
    return load_model()


def test_the_image_tower_is_brought_and_goes_home(own):
    expected = own.encode_images([random_picture(1)])
    placement = Recorded()
    own.place(placement)
    torch.testing.assert_close(own.encode_images([random_picture(1)]), expected)
    assert placement.calls == [("bring", own.image.module, True), ("home", own.image.module)]


def test_the_image_tower_goes_home_after_an_error(own):
    placement = Recorded()
    own.place(placement)
    with pytest.raises(TypeError):
        own.encode_images(["not a picture"])
    assert placement.calls[-1] == ("home", own.image.module)


def test_pictures_are_encoded_elsewhere_where_there_is_no_room(own, caplog):
    expected = own.encode_images([random_picture(1)])
    placement = Recorded(full=1)
    own.place(placement)
    torch.testing.assert_close(own.encode_images([random_picture(1)]), expected)
    assert [call[0] for call in placement.calls] == ["bring", "fall back", "home"]
    assert "not enough memory for the image tower" in caplog.text


def test_text_towers_are_brought_together_with_the_room_asked_for(own):
    judge = load_folder(JUDGES["resnet"], "judge")
    placement = Recorded()
    both = combine([own.place(placement), judge.place(placement)])
    assert both.ready(5) is both
    assert placement.calls == [("bring", own.text.module, judge.text.module, True)]


def test_parts_with_placements_of_their_own_keep_them(own):
    judge = load_folder(JUDGES["resnet"], "judge")
    one, other = Recorded(), Recorded()
    both = combine([own.place(one), judge.place(other)])
    both.ready()
    both.encode_images([random_picture(1)])
    assert one.calls == [
        ("bring", own.text.module, False),
        ("bring", own.image.module, True),
        ("home", own.image.module),
    ]
    assert [call[0] for call in other.calls] == ["bring", "bring", "home"]


def test_a_target_of_pictures_leaves_the_text_tower_where_it_is(own):
    placement = Recorded()
    own.place(placement)
    make_target(own, [PictureSource.of(random_picture(1))])
    assert ("bring", own.text.module, False) not in placement.calls
    make_target(own, [TextSource("a red bird"), PictureSource.of(random_picture(1))])
    assert placement.calls[-1] == ("bring", own.text.module, False)  # last: the search needs it next


def test_the_default_moves_the_text_tower_to_stay_and_the_image_tower_to_work(own):
    own.to("meta")
    assert own.device.type == "meta"
    assert {weight.device.type for weight in own.image.module.parameters()} == {"cpu"}


def test_the_default_moves_and_moves_back():
    module, placement = torch.nn.Linear(2, 2), MovePlacement(torch.device("meta"))
    assert placement.bring([module]) == torch.device("meta")
    assert module.weight.device.type == "meta"
    home = []
    module.to = home.append  # meta tensors cannot come back
    placement.bring([module])  # by another thread
    placement.send_home(module)
    assert home == []
    placement.send_home(module)
    assert home == [torch.device("cpu")]
    placement.fall_back(module)
    assert home[1:] == ["cpu"]


def test_a_model_keeps_its_placement_when_copied_and_pickled(own):
    for other in (copy.deepcopy(own), pickle.loads(pickle.dumps(own))):
        assert other.text.placement is not own.text.placement
        torch.testing.assert_close(other.ready().encode_texts(["a cat"]), own.encode_texts(["a cat"]))


def test_weights_moved_under_inference_mode_can_be_searched_again(own):
    with torch.inference_mode():
        for weight in own.text.module.parameters():
            weight.data = weight.data.clone()
        module = own.text.module
        module.ln_final._parameters["weight"] = torch.nn.Parameter(module.ln_final.weight.clone(), requires_grad=False)
        module.register_buffer("extra", torch.zeros(1))
        assert module.ln_final.weight.is_inference()
        own.ready()
    tensors = [*module.parameters(), *module.buffers()]
    assert not any(tensor.is_inference() for tensor in tensors)
    ids = torch.tensor([own.vocabulary.encode("a red bird")])
    embeddings = own.text.embed(ids).requires_grad_()
    own.text.prompt_encoder()(embeddings, ids).sum().backward()
    assert embeddings.grad is not None


def test_threads_share_an_image_tower(own):
    """Each sends it home; it moves when the last one is done."""
    pictures = [random_picture(i) for i in range(4)]
    expected = own.encode_images(pictures)
    found = [None] * 4

    def encode(i):
        found[i] = own.encode_images(pictures)

    threads = [threading.Thread(target=encode, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in found:
        torch.testing.assert_close(each, expected)


def test_a_tower_of_another_kind_is_left_alone(own, openai_vocabulary):
    class Elsewhere:
        towers = ()

        def encode(self, pictures):
            return torch.ones(len(pictures), 512) / 512**0.5

    text = ClipModel.of_open_clip(small("ViT-B-32"), lambda picture: picture, openai_vocabulary, "x").text
    model = ClipModel(Elsewhere(), text, openai_vocabulary, "x").place(Recorded())
    assert model.encode_images([random_picture(1)] * 2).shape == (2, 512)


class TestTextsInBatches:
    def test_many_texts_are_encoded_a_few_at_a_time(self, own, monkeypatch):
        texts = [f"a red bird and {i} dogs" for i in range(10)]
        expected = own.encode_texts(texts)
        sizes = []
        plain = own.text.encode
        monkeypatch.setattr(own.text, "encode", lambda rows: sizes.append(len(rows)) or plain(rows))
        monkeypatch.setattr("pez_core.models.clip.TEXTS_AT_ONCE", 4)
        torch.testing.assert_close(own.encode_texts(texts), expected, atol=1e-5, rtol=0)
        assert sizes == [4, 4, 2]

    def test_fewer_at_once_where_memory_is_short(self, own, monkeypatch):
        texts = [f"a red bird and {i} dogs" for i in range(10)]
        expected = own.encode_texts(texts)
        sizes = []
        plain = own.text.encode

        def short(rows):
            if len(rows) > 3:
                raise torch.cuda.OutOfMemoryError("no memory")
            sizes.append(len(rows))
            return plain(rows)

        monkeypatch.setattr(own.text, "encode", short)
        torch.testing.assert_close(own.encode_texts(texts), expected, atol=1e-5, rtol=0)
        assert sizes == [2] * 5

    def test_no_memory_for_a_single_text_is_said(self, own, monkeypatch):
        def full(rows):
            raise torch.cuda.OutOfMemoryError("no memory")

        monkeypatch.setattr(own.text, "encode", full)
        with pytest.raises(PezError, match="Not enough memory on cpu to encode a text with embedded"):
            own.encode_texts(["a cat"])

    def test_no_texts_have_no_features(self, own):
        assert own.encode_texts([]).shape == (0, own.text.features)

    @pytest.mark.parametrize("texts", ["cat", [5], [None, "a"]])
    def test_what_is_no_list_of_texts(self, own, texts):
        with pytest.raises(PezError, match="A list of texts is needed"):
            own.encode_texts(texts)
