"""Language models as towers: how likely words are after a prompt and a text, with gradients to the prompt's embeddings.

Letters of shapes: N prompts, L tokens of a prompt, M rows (a prompt with a text each), T tokens of the longest text,
W words, V vocabulary, D token width.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any, Protocol

import torch
from torch import Tensor
from typing_extensions import Self

from ..errors import PezError
from ..text.vocabulary import Vocabulary
from .words import Stem, Words

State = tuple[Tensor, ...]
"""What a tower has read of N prompts: tensors [N, ...] that carry gradients."""

_CLOSE = 1e-3  # nats: largest difference between the shared reading of a prompt and reading each row whole


class LanguageTower(Protocol):
    """A frozen language model that reads prompts as embeddings.

    name: for messages. vocabulary: its tokens. width: D. reads_prompts: whether it can say how natural a prompt reads.
    """

    name: str
    vocabulary: Vocabulary
    width: int
    reads_prompts: bool

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        ...

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings float32 [..., D] of token ids [...]."""
        ...

    def begin(self, prompts: Tensor) -> State:
        """The state after the embeddings [N, L, D] of prompts, which stand at the beginning of the input. L may be 0."""
        ...

    def read(self, state: State, ids: Tensor, lengths: Tensor, words: Words) -> Tensor:
        """Log-probabilities float32 [M, W] of each of the words after the texts int64 [M, T], padded after their lengths [M].

        state: of the prompt before each text, [M, ...]. A word of several tokens counts whole.
        """
        ...

    def prompt_log_probability(self, prompts: Tensor, ids: Tensor) -> Tensor:
        """Mean log-probability float32 [N] of the tokens [N, L] with the embeddings [N, L, D], each after those before it.

        Raises PezError for a model that cannot say, such as an encoder.
        """
        ...

    def in_format(self, dtype: torch.dtype) -> Self:
        """The same tower with weights in another number format; itself if they are in that already."""
        ...


class CausalTower:
    """A causal language model of transformers. See `LanguageTower`.

    A prompt is read once for all of its texts; where a model's cache does not lead to the same numbers (checked when the tower
    is made), every row is read whole.

    module: such as LlamaForCausalLM, with weights that need no gradient.
    """

    reads_prompts = True

    def __init__(self, module: Any, vocabulary: Vocabulary, name: str):
        self.name, self.vocabulary = name, vocabulary
        self._module = module
        self._base: Any = module.base_model
        self.width: int = module.get_input_embeddings().embedding_dim
        named = inspect.signature(module.forward).parameters
        self._cache = "cache" if "cache" in named else "past_key_values"  # depends on the version of transformers
        self._start = torch.tensor(vocabulary.start_ids, dtype=torch.long, device=module.device)
        self._bare_head = self._shared = True
        self._check()
        self._tied = self._bare_head and self._predicts_by_its_table()

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self._module.device

    def in_format(self, dtype: torch.dtype) -> CausalTower:
        """See `LanguageTower`."""
        if dtype == self._module.dtype:
            return self
        other = copy.copy(self)
        other._module = copy.deepcopy(self._module).to(dtype)
        other._base = other._module.base_model
        return other

    def embed(self, ids: Tensor) -> Tensor:
        """See `LanguageTower`."""
        return self._module.get_input_embeddings()(ids).float()

    def begin(self, prompts: Tensor) -> State:
        """See `LanguageTower`."""
        whole = torch.cat([self.embed(self._start.to(self.device)).expand(len(prompts), -1, -1), prompts], dim=1)
        if not self._shared or not whole.shape[1]:
            return (whole,)
        out = self._base(inputs_embeds=whole.to(self._module.dtype), use_cache=True)
        cache = getattr(out, self._cache)
        return tuple(tensor for layer in cache.layers for tensor in (layer.keys, layer.values))

    def read(self, state: State, ids: Tensor, lengths: Tensor, words: Words) -> Tensor:
        """See `LanguageTower`."""
        rows = torch.arange(len(ids), device=ids.device)

        def read(stem: Stem) -> Tensor:
            hidden, before = self._hidden(state, stem.after(ids, lengths))
            at = before + lengths - 1
            values = self._log_softmax(hidden[rows, at + len(stem.tokens)]).index_select(1, stem.last)
            for number, token in enumerate(stem.tokens):
                values = values + self._log_softmax(hidden[rows, at + number])[:, token, None]
            return values

        return words.read(read)

    def prompt_log_probability(self, prompts: Tensor, ids: Tensor) -> Tensor:
        """See `LanguageTower`. Without a start token, the first token has nothing before it and is not counted.

        Where a model predicts tokens with the table that it reads them by, the gradient also says which tokens would be more
        likely at each place; otherwise only which tokens make the next ones likelier, as in the published code.
        """
        whole = torch.cat([self.embed(self._start.to(self.device)).expand(len(prompts), -1, -1), prompts], dim=1)
        own = ids if len(self._start) else ids[:, 1:]
        if not own.shape[1]:
            return prompts.sum((1, 2)) * 0.0  # nothing is counted, but a search may ask for the gradient
        hidden = self._base_hidden(inputs_embeds=whole[:, :-1].to(self._module.dtype))
        hidden = hidden[:, max(0, len(self._start) - 1) :]
        if not self._tied:
            return self._log_softmax(hidden).gather(2, own[..., None])[..., 0].mean(1)
        logits = self._module.get_output_embeddings()(hidden).float()
        said = (hidden.float() * prompts[:, -own.shape[1] :]).sum(-1)
        return (said - logits.logsumexp(-1)).mean(1)

    def _hidden(self, state: State, ids: Tensor) -> tuple[Tensor, int]:
        """What the head reads at each position [M, P, H], and how many positions come before the texts."""
        if len(state) == 1:
            whole = torch.cat([state[0], self.embed(ids)], dim=1).to(self._module.dtype)
            return self._base_hidden(inputs_embeds=whole), state[0].shape[1]
        cache = _cache_of(state)
        return self._base_hidden(input_ids=ids, use_cache=True, **{self._cache: cache}), 0

    def _base_hidden(self, **inputs: Any) -> Tensor:
        if self._bare_head:
            return self._base(**inputs).last_hidden_state
        return self._module(**inputs).logits

    def _log_softmax(self, hidden: Tensor) -> Tensor:
        logits = self._module.get_output_embeddings()(hidden) if self._bare_head else hidden
        return logits.float().log_softmax(-1)

    @torch.no_grad()
    def _predicts_by_its_table(self) -> bool:
        head = self._module.get_output_embeddings()
        few = torch.arange(min(8, self.vocabulary.size), device=self.device)
        same = getattr(head, "bias", None) is None and head.weight.shape[1] == self.width
        return same and torch.equal(head.weight[few].float(), self.embed(few))

    @torch.no_grad()
    def _check(self) -> None:
        """Compares the two shortcuts, the bare head and the shared prompt, with the model as it is."""
        generator = torch.Generator().manual_seed(0)
        ids = torch.randint(self.vocabulary.size, (3, 7), generator=generator).to(self.device)
        ids[1:, :3] = ids[0, :3]
        start = self._start.expand(3, -1)
        logits = self._module(input_ids=torch.cat([start, ids], dim=1)).logits.float().log_softmax(-1)
        words = Words(ids[:, -1:].tolist(), self.device)
        lengths = torch.tensor([3, 2, 1], device=self.device)
        rows = torch.arange(3, device=self.device)
        exact = logits[rows, start.shape[1] + 2 + lengths][:, ids[:, -1]]
        for self._bare_head, self._shared in ((True, True), (True, False), (False, False)):
            try:
                state = self.begin(self.embed(ids[:1, :3]))
                found = self.read(tuple(t.expand(3, *t.shape[1:]) for t in state), ids[:, 3:], lengths, words)
            except (TypeError, AttributeError, IndexError):  # a model with another form of cache or head
                continue
            if (found - exact).abs().max() < _CLOSE:
                return
        raise PezError(f"{self.name} does not read embeddings as it reads tokens: choose another language model.")


def _cache_of(state: State) -> Any:
    from transformers import DynamicCache

    cache = DynamicCache()
    for layer in range(len(state) // 2):
        cache.update(state[2 * layer], state[2 * layer + 1], layer)
    return cache
