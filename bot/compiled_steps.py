"""The one-token step of a model made into one piece by torch.compile, over caches whose shapes never change.

On CUDA the piece is a CUDA graph: a step is then one launch and not a thousand, which is what a small batch waits for.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from data.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import StaticCache

_SHORTEST = 1024  # tokens of a cache, a power of two: each is compiled for itself, and 1,000 more cost a GPU 1 %
_SHAPES = 64  # sizes of caches that are compiled for an adapter; torch's own limit is 8, beyond which it does no more


class CompiledSteps:
    """The steps of `model` (transformers' own, over which adapters may be put and taken off).

    What is compiled is kept for each adapter, number of rows and length of cache; each takes a minute for a 7B model
    when it is met first. Raises BadInput for a model that can't be compiled.
    """

    def __init__(self, model: Any, device: str) -> None:
        from transformers import StaticCache

        cache = StaticCache(model.config, max_cache_len=1)
        if not model._can_compile_fullgraph or not cache.is_compileable or any(cache.is_sliding):
            why = "with a sliding window" if any(cache.is_sliding) else "of a kind that transformers doesn't compile"
            raise BadInput(f"a model {why} ({model.config.model_type}) can't be compiled: leave --compile out.")
        self._model = model
        self._options = {
            "triton.cudagraphs": device.startswith("cuda"),  # all that mode="reduce-overhead" is
            # Looking through a thousand modules for changes takes a millisecond a step; there are none: see `forget`
            "guard_filter_fn": _no_modules,
        }
        self._steps: dict[str | None, Callable[[dict[str, Any]], Tensor]] = {}  # by adapter
        self._free: dict[tuple[int, int], list[StaticCache]] = {}  # by rows and length
        self._thread = ThreadPoolExecutor(1, "compiled-steps")  # torch records CUDA graphs for each thread anew

    @contextmanager
    def cache(self, rows: int, tokens: int, window: int) -> "Iterator[StaticCache]":
        """An empty cache for so many rows of at least so many tokens, which nobody else has until it is given back."""
        from transformers import StaticCache

        length = max(tokens, min(max(_SHORTEST, 1 << (tokens - 1).bit_length()), window))
        free = self._free.setdefault((rows, length), [])
        try:
            cache = free.pop()
        except IndexError:
            cache = StaticCache(self._model.config, max_cache_len=length)
        try:
            yield cache
        finally:
            cache.reset()  # type: ignore[no-untyped-call]
            free.append(cache)

    def step(self, given: dict[str, Any], adapter: str | None) -> "Tensor":
        """The logits (rows, 1, vocabulary) behind the one new token of each row, `adapter` being on the model.

        One call at a time. Raises BadInput where torch can't compile.
        """
        return self._thread.submit(self._step, given, adapter).result()

    def forget(self) -> None:
        """To be called when the model's modules have changed."""
        self._steps.clear()

    def _step(self, given: dict[str, Any], adapter: str | None) -> "Tensor":
        import torch
        from torch._dynamo.exc import TorchDynamoException

        if adapter not in self._steps:
            compiler: Any = torch.compile  # whose types leave the last two out
            self._steps[adapter] = compiler(
                self._logits, dynamic=False, options=self._options, recompile_limit=_SHAPES, isolate_recompiles=True
            )
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        try:
            with torch.no_grad():
                return self._steps[adapter](given).clone()  # the next step, of whatever reply, overwrites a graph's own
        except TorchDynamoException as error:
            raise BadInput(
                "the model can't be compiled on this computer: leave --compile out, or see whether a C++ compiler is "
                f"there (apt install g++ python3-dev). ({str(error).strip().partition(chr(10))[0][:200]})"
            ) from error

    def _logits(self, given: dict[str, Any]) -> "Tensor":
        logits: Tensor = self._model(**given).logits
        return logits


def _no_modules(guards: Any) -> Any:
    import torch

    return torch.compiler.skip_guard_on_all_nn_modules_unsafe(guards)  # type: ignore[no-untyped-call]
