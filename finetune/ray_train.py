"""The same training on Ray: N workers of a cluster, or of this machine, in place of N processes of a launcher."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from data.errors import BadInput, ShawGPTError, TrainingStopped
from finetune.processes import together

T = TypeVar("T")


def on_ray(work: Callable[[], T], workers: int, shared: Path) -> T:
    """Do `work` in so many Ray workers, as processes that train together; what it returns in the first.

    On the cluster of RAY_ADDRESS where that is set, else on one that is started here and ended again. Each worker has a
    GPU of its own where there are as many. `work` is pickled: what paths it holds must lead to the same files wherever
    a worker runs, and so must `shared`, a folder in which Ray keeps its notes meanwhile. Raises the ShawGPTError that
    `work` raises, BadInput where Ray is missing or too small, TrainingStopped where a worker fails otherwise.
    """
    if not find_spec("ray"):
        raise BadInput("training on Ray takes the package ray: run `pip install 'shawgpt[ray]'`")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported
    ray, ray_train = import_module("ray"), import_module("ray.train")
    torch_trainer = import_module("ray.train.torch").TorchTrainer

    there = os.environ.get("RAY_ADDRESS")
    own: dict[str, Any] = {"num_cpus": max(workers, os.cpu_count() or 1), "include_dashboard": False}
    with _plainly(there):
        ray.init(address=there or "local", log_to_driver=False, logging_level=logging.ERROR, **({} if there else own))
    try:
        has = ray.cluster_resources()
        if has.get("CPU", 0) < workers:
            raise BadInput(
                f"The Ray cluster has {has.get('CPU', 0):.0f} processors: start so many workers at the most."
            )
        with TemporaryDirectory(prefix=".ray-", dir=shared) as notes:
            trainer = torch_trainer(
                _outcome,
                train_loop_config={"work": work},
                scaling_config=ray_train.ScalingConfig(num_workers=workers, use_gpu=has.get("GPU", 0) >= workers),
                run_config=ray_train.RunConfig(storage_path=str(Path(notes).absolute())),
            )
            outcome = trainer.fit().return_value
    except ray_train.TrainingFailedError as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise TrainingStopped(f"A worker of the training failed: start it again, and it goes on. ({reason})") from error
    finally:
        ray.shutdown()
    if isinstance(outcome, ShawGPTError):
        raise outcome
    return outcome  # type: ignore[no-any-return]


def _outcome(job: dict[str, Any]) -> Any:
    """In a worker: what the work returns, or the ShawGPTError that ends it."""
    try:
        with together():
            return job["work"]()
    except ShawGPTError as error:
        return error


@contextmanager
def _plainly(address: str | None) -> Iterator[None]:
    try:
        yield
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = f"reach the Ray cluster at {address}" if address else "start Ray here"
        raise BadInput(f"Can't {where}: {str(error).strip().partition(chr(10))[0]}") from error
