"""Several processes that train one adapter: who is who, what they tell each other, what each of them works on.

`accelerate launch`, torchrun and Ray Train say who is who in the environment: RANK, LOCAL_RANK, WORLD_SIZE. Each runs
the same code; the first alone (rank 0) writes and speaks, and what goes wrong in one of them is raised in all.
"""

import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from functools import cache
from importlib.resources import files
from itertools import chain, islice, repeat
from threading import Thread
from typing import Any, Generic, NoReturn, TypeVar

from data.errors import BadInput, ShawGPTError, TrainingStopped

LONGEST = timedelta(days=1)  # that processes wait for each other: the first may have a base to download
ANSWER = 60.0  # seconds that one which can't go on waits for the others; then the launcher is to end them
STOPPED = 130  # exit code of what Ctrl-C ended
T = TypeVar("T")


class _Failed(Exception):
    """Another process can't go on, because of `error`."""

    def __init__(self, error: ShawGPTError) -> None:
        super().__init__(str(error))
        self.error = error


def count() -> int:
    """How many processes train together; 1 where this one was started by itself."""
    return int(os.environ["WORLD_SIZE"]) if {"RANK", "LOCAL_RANK", "WORLD_SIZE"} <= os.environ.keys() else 1


def rank() -> int:
    """This process's number, from 0."""
    return int(os.environ["RANK"]) if count() > 1 else 0


def best_device() -> str:
    """The device this process trains on: "cuda" or "cpu"; of several processes, each has the GPU of its number."""
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{os.environ['LOCAL_RANK']}" if count() > 1 else "cuda"


def sharded() -> bool:
    """Whether the base is to be spread over the processes by FSDP, rather than held by each of them."""
    return count() > 1 and os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"


def shares(batch_size: int, accumulation: int, processes: int) -> tuple[int, int]:
    """(batch size, accumulation) of each of several processes, so that a step learns from as many examples as ever.

    Accumulation is divided first, as that changes no batch; then the batch. Raises BadInput where neither divides.
    """

    def parts(processes: int) -> int:  # of a batch
        return processes // math.gcd(accumulation, processes)

    if batch_size % parts(processes):
        able = [str(n) for n in range(1, batch_size * accumulation + 1) if batch_size % parts(n) == 0]
        raise BadInput(
            f"{processes} processes can't share a step of {batch_size} × {accumulation} examples (batch_size × "
            f"accumulation): start {', '.join(able)}, or change the recipe."
        )
    return batch_size // parts(processes), accumulation * parts(processes) // processes


def exchange(value: T) -> list[T]:
    """What each process gives, by rank; the same list in all of them. Values are pickled. Within `together`."""
    given = _gather((value, None))
    failed = next((error for _, error in given if error is not None), None)
    if failed is not None:
        raise _Failed(failed)
    return [value for value, _ in given]


def first(work: Callable[[], T]) -> T:
    """Do `work` in the first process alone; all have what it returns, once it is done. Within `together`."""
    return exchange(work() if rank() == 0 else None)[0]  # type: ignore[return-value]


@contextmanager
def together() -> Iterator[None]:
    """Raise a ShawGPTError that one process raises in all of them, as soon as they `exchange`: so that none waits."""
    try:
        yield
    except _Failed as failed:
        raise failed.error from None
    except ShawGPTError as error:
        if told := _tell(error):
            raise told from error
        if rank():
            raise RuntimeError(f"process {rank()} failed alone: {error}") from error
        raise
    except RuntimeError as error:
        if count() > 1 and ("gloo" in str(error) or "NCCL" in str(error)):
            raise TrainingStopped(
                "Another process of this training ended, or can't be reached: run the same command again, and it goes "
                "on from the last checkpoint."
            ) from error
        raise


@contextmanager
def one_voice() -> Iterator[None]:
    """Let only the first of several processes print, and its exit code be that of all. Around a command's whole work.

    The others end with 0 where they end as the first does: the launcher would stop the first before it has spoken.
    """
    if rank() == 0:
        with together():
            yield
        return
    try:
        with open(os.devnull, "w") as silent, redirect_stdout(silent), redirect_stderr(silent), together():
            yield
    except KeyboardInterrupt:
        leave(STOPPED)
    except Exception as error:
        if hasattr(error, "exit_code"):  # a ShawGPTError, which all have raised, or the command's end
            leave(0)
        raise
    leave(0)


class Turns(Generic[T]):
    """Of some batches those that are this process's: every `count()`-th, and `empty` where there is none left.

    So all processes have as many, as they must where a batch is worked on together, and each batch is one's alone.
    """

    def __init__(self, batches: Any, empty: T) -> None:
        self.batches = batches  # that can be counted and iterated over: a list, a torch BatchSampler
        self._empty = empty

    def __len__(self) -> int:
        return math.ceil(len(self.batches) / count())

    def __iter__(self) -> Iterator[T]:
        filled = chain(self.batches, repeat(self._empty, -len(self.batches) % count()))
        return islice(filled, rank(), None, count())

    def set_epoch(self, epoch: int) -> None:
        """Which epoch's order comes next, where the batches are a BatchSampler's."""
        self.batches.sampler.set_epoch(epoch)


def launch(processes: int, command: list[str]) -> int:
    """Run `command` (a program and its arguments) in so many processes on this machine; the exit code.

    With a GPU for each, as launch/ddp.yaml says: the base in NF4 fits on most, and what each holds needs no fetching.
    Without any GPU, as launch/cpu.yaml says. Ctrl-C reaches all. Raises BadInput where there are too few GPUs.
    """
    import logging

    import torch
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    gpus = torch.cuda.device_count()
    if 0 < gpus < processes:
        raise BadInput(f"There are {gpus} GPUs for {processes} processes: start {gpus} at the most.")
    config = files("finetune") / "launch" / ("ddp.yaml" if gpus else "cpu.yaml")
    options = ["--config_file", str(config), "--num_processes", str(processes), "--no_python"]
    logging.disable(logging.CRITICAL)  # the launcher's report of processes that have said themselves what was wrong
    try:
        launch_command(launch_command_parser().parse_args([*options, *command]))
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        return code if code >= 0 else 128 - code  # negative: the signal that ended it
    except SignalException:
        return STOPPED
    return 0


def _tell(error: ShawGPTError) -> ShawGPTError | None:
    """Tell all of `error`; the first of what they tell, or None where they don't answer, being amid a step."""
    told: list[Any] = []
    telling = Thread(target=lambda: told.extend(failed for _, failed in _gather((None, error)) if failed), daemon=True)
    telling.start()
    telling.join(ANSWER)
    return told[0] if told else None


def _gather(given: tuple[Any, ShawGPTError | None]) -> list[tuple[Any, ShawGPTError | None]]:
    if count() == 1:
        return [given]
    from torch import distributed

    found: list[Any] = [None] * count()
    distributed.all_gather_object(found, given, group=_group())
    return found


def leave(code: int) -> NoReturn:
    """End this process with that exit code; one of several at once, for gloo's threads may abort a slow end."""
    sys.stdout.flush()
    sys.stderr.flush()
    if count() > 1:
        os._exit(code)
    sys.exit(code)


@cache
def _group() -> Any:
    """The processes, joined; through the processors, as what they tell each other is no tensor."""
    import torch
    from accelerate import PartialState
    from torch import distributed

    PartialState(cpu=not torch.cuda.is_available())
    return distributed.new_group(backend="gloo", timeout=LONGEST)
