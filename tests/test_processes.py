"""Several processes that train one adapter: they end where one alone ends, speak with one voice, and stop together."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.adapters import choose, list_adapters, train_adapter
from data.errors import BadInput, TrainingStopped
from finetune.processes import Turns, count, exchange, first, launch, rank, sharded, shares
from finetune.training import Trained

PAIRS = Path(__file__).parents[1] / "data" / "sample" / "past_replies.csv"
RECIPE = {  # 20 examples to train on: steps of 8, 8 and 4, and so of five batches, which two can't share evenly
    "name": "tiny", "format": "completion", "held_out": 0.2, "data": "pairs.csv", "quantisation": "nf4",
    "optimiser": "adamw_torch", "checkpointing": True, "lora": {"rank": 8, "alpha": 16}, "learning_rate": 5e-3,
    "epochs": 3, "batch_size": 4, "accumulation": 2, "max_tokens": 128,
}  # fmt: skip

# As `shawgpt train` does it, but with a line a step.
TRAIN = """
import signal, sys
from pathlib import Path
import torch
from bot.adapters import choose, train_adapter
from data.errors import ShawGPTError
from finetune.processes import leave, one_voice
torch.set_num_threads(1)
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    with one_voice():
        told = lambda point, steps: print("step", point.step, flush=True)
        done, _ = train_adapter(choose(sys.argv[1], None, None, None), Path(sys.argv[2]), told, str)
        print("kept", done.best_step)
except ShawGPTError as error:
    print("shawgpt:", error, file=sys.stderr)
    leave(error.exit_code)
except KeyboardInterrupt:
    print("stopped", file=sys.stderr)
    leave(130)
leave(0)
"""
LAUNCH = "import sys; from finetune.processes import launch; sys.exit(launch(2, [sys.executable, *sys.argv[1:]]))"
TOGETHER = [sys.executable, "-c", LAUNCH, "train.py"]


@pytest.fixture
def write_recipe(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a recipe with other values in some fields, and the data and the program beside it."""
    lines = PAIRS.read_text(encoding="utf-8").splitlines()[1:26]
    (tmp_path / "pairs.csv").write_text("\n".join(["prompt,completion", *lines]), encoding="utf-8")
    (tmp_path / "train.py").write_text(TRAIN)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(PAIRS.parents[2]))
    monkeypatch.chdir(tmp_path)

    def write(**changes: Any) -> Path:
        (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({**RECIPE, "base": str(base), **changes}))
        return tmp_path / "tiny.yaml"

    return write


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Mistral of random weights in float32, so that what differs is rounding."""
    import mistral_common
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=32_000, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=1024, sliding_window=None, tie_word_embeddings=True,
    )  # fmt: skip
    MistralForCausalLM(config).save_pretrained(folder)
    shutil.copy(Path(mistral_common.__file__).parent / "data" / "tokenizer.model.v1", folder / "tokenizer.model")
    return folder


def alone(recipe: Path, home: Path) -> Trained:
    return train_adapter(choose(str(recipe), None, None, None), home, lambda point, steps: None, str)[0]


def losses(adapter: Path) -> dict[str, float]:
    """Of each step and each measure."""
    lines = map(json.loads, (adapter / "history.jsonl").read_text().splitlines())
    return {f"{kind} {line['step']}": line[kind] for line in lines for kind in ("loss", "held_out") if kind in line}


def assert_alike(one: Path, other: Path, rounding: float) -> None:
    """The same losses at every step, and the same weights in the end."""
    from safetensors.torch import load_file

    assert losses(one) == pytest.approx(losses(other), rel=rounding)
    weights, others = (load_file(folder / "adapter_model.safetensors") for folder in (one, other))
    assert weights.keys() == others.keys()
    assert all(float((weights[name] - others[name]).norm() / weights[name].norm()) < 20 * rounding for name in weights)


def test_two_processes_learn_what_one_learns_and_speak_once(write_recipe, tmp_path):
    recipe = write_recipe()
    single = alone(recipe, tmp_path / "one")
    done = subprocess.run([*TOGETHER, recipe, "two"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    steps = [f"step {point.step}" for point in single.history]
    assert done.stdout.splitlines() == [*steps, f"kept {single.best_step}"]
    assert_alike(single.folder, tmp_path / "two" / "adapters" / "tiny", 1e-4)
    assert {path.name for path in single.folder.iterdir()} == {
        path.name for path in (tmp_path / "two" / "adapters" / "tiny").iterdir()
    }
    assert [(each.name, each.trouble) for each in list_adapters(tmp_path / "two")] == [("tiny", "")]


@pytest.mark.slow
def test_training_that_is_of_no_use_stops_all_with_one_line(write_recipe):
    recipe = write_recipe(learning_rate=1e-12, epochs=7)
    done = subprocess.run([*TOGETHER, recipe, "home"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "loss has not fallen" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_ctrl_c_leaves_a_checkpoint_from_which_they_go_on_to_the_same_end(write_recipe, tmp_path):
    recipe = write_recipe(epochs=4)
    with subprocess.Popen([*TOGETHER, recipe, "two"], stdout=-1, stderr=-1, text=True) as running:
        for line in running.stdout:
            if line == "step 4\n":  # amid an epoch of three
                running.send_signal(signal.SIGINT)
        assert running.stderr.read() == "stopped\n"
    assert running.returncode == 130
    whole = [path.name for path in (tmp_path / "two/adapters/.tiny.part/checkpoints").glob("*/trainer_state.json")]
    assert whole
    subprocess.run([*TOGETHER, recipe, "two"], check=True, capture_output=True)
    assert_alike(alone(recipe, tmp_path / "one").folder, tmp_path / "two" / "adapters" / "tiny", 1e-4)


def test_what_is_wrong_in_one_is_raised_in_all_and_told_once(write_recipe, tmp_path):
    """As where the second machine lacks the data: the first must not wait for it for ever."""
    own = "(sys.argv[1] if os.environ['RANK'] == '0' else 'nothing.yaml')"
    (tmp_path / "train.py").write_text("import os\n" + TRAIN.replace("sys.argv[1]", own))
    done = subprocess.run([*TOGETHER, write_recipe(), "home"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("shawgpt: no recipe 'nothing.yaml'")
    assert done.stderr.count("\n") == 1


# FSDP is for GPUs alone, says accelerate; torch can do it without, but for the way it copies shards "to the processor".
FSDP_ON_CPU = """
import contextlib, torch.distributed
from accelerate.state import DistributedType, PartialState
from torch.distributed.fsdp._flat_param import FlatParamHandle
PartialState._prepare_backend = lambda *_: ("gloo", DistributedType.MULTI_GPU)
FlatParamHandle.to_cpu = lambda self: contextlib.nullcontext()
torch.distributed.init_process_group("gloo")
"""


@pytest.mark.slow
def test_base_spread_over_two_processes_in_nf4_learns_as_a_whole_one(write_recipe, tmp_path, monkeypatch):
    recipe = write_recipe()
    (tmp_path / "train.py").write_text(FSDP_ON_CPU + TRAIN)
    monkeypatch.setenv("ACCELERATE_TORCH_DEVICE", "cpu")
    config = str(files("finetune") / "launch" / "fsdp-qlora.yaml")
    asked = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", config, "--num_processes", "2"]
    subprocess.run([*asked, "train.py", recipe, "two"], check=True, capture_output=True)
    # bfloat16 throughout, as FSDP wants one type, against float32
    assert_alike(alone(recipe, tmp_path / "one").folder, tmp_path / "two" / "adapters" / "tiny", 1e-2)


def _train_in_a_worker(recipe: Path, home: Path) -> Trained:
    import torch

    torch.set_num_threads(1)
    return alone(recipe, home)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_ray_workers_learn_what_one_process_learns(write_recipe, tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'shawgpt[ray]'")
    from finetune.ray_train import on_ray

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), str(PAIRS.parents[2])]))
    recipe = write_recipe()
    trained = on_ray(partial(_train_in_a_worker, recipe, tmp_path / "two"), 2, tmp_path)
    assert trained.folder == tmp_path / "two" / "adapters" / "tiny"
    assert_alike(alone(recipe, tmp_path / "one").folder, trained.folder, 1e-4)
    recipe = write_recipe(name="stopped", learning_rate=1e-12, epochs=7)
    with pytest.raises(TrainingStopped, match="loss has not fallen"):
        on_ray(partial(_train_in_a_worker, recipe, tmp_path / "two"), 2, tmp_path)


def test_without_ray_the_error_names_the_extra(monkeypatch, tmp_path):
    from finetune import ray_train

    monkeypatch.setattr(ray_train, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"shawgpt\[ray\]"):
        ray_train.on_ray(lambda: None, 2, tmp_path)


@pytest.mark.parametrize(
    ("batch_size", "accumulation", "processes", "each"),
    [(4, 4, 1, (4, 4)), (4, 4, 2, (4, 2)), (4, 4, 4, (4, 1)), (4, 4, 8, (2, 1)), (6, 4, 6, (2, 2)), (8, 1, 4, (2, 1))],
)
def test_a_step_learns_from_as_many_examples_however_many_processes(batch_size, accumulation, processes, each):
    assert shares(batch_size, accumulation, processes) == each
    assert each[0] * each[1] * processes == batch_size * accumulation


def test_processes_that_cannot_share_a_step_are_told_how_many_can():
    with pytest.raises(BadInput, match=r"3 processes can't share a step of 4 × 2 .* start 1, 2, 4, 8, or"):
        shares(4, 2, 3)


@pytest.mark.parametrize("batches", [1, 4, 5, 6])
def test_each_batch_is_one_processs_alone_and_all_have_as_many(monkeypatch, batches):
    monkeypatch.setenv("WORLD_SIZE", "3")
    had = []
    for number in range(3):
        monkeypatch.setenv("RANK", str(number))
        monkeypatch.setenv("LOCAL_RANK", str(number))
        turns = Turns([[n] for n in range(batches)], [])
        assert len(list(turns)) == len(turns)
        had.append(list(turns))
    assert len({len(each) for each in had}) == 1
    assert [batch for turn in zip(*had, strict=True) for batch in turn if batch] == [[n] for n in range(batches)]


def test_a_process_by_itself_has_nobody_to_wait_for(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")  # of a batch system that started one process on each of four machines
    assert (count(), rank(), sharded()) == (1, 0, False)
    assert exchange("said") == ["said"]
    assert first(lambda: "done") == "done"


def test_shipped_configurations_are_what_accelerate_reads():
    from accelerate.commands.config.config_args import load_config_from_file

    kinds = {}
    for path in (files("finetune") / "launch").iterdir():
        config = load_config_from_file(str(path))
        kinds[path.name] = (str(config.distributed_type), config.use_cpu, config.fsdp_config.get("fsdp_version"))
    assert kinds == {
        "cpu.yaml": ("DistributedType.MULTI_GPU", True, None),
        "ddp.yaml": ("DistributedType.MULTI_GPU", False, None),
        "fsdp-qlora.yaml": ("DistributedType.FSDP", False, 1),
    }


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(BadInput, match="2 GPUs for 4 processes: start 2"):
        launch(4, ["shawgpt"])


@pytest.mark.slow
def test_processes_are_started_by_one_option_and_speak_with_one_voice(write_recipe, tmp_path):
    path = write_recipe()
    command = [sys.executable, "-c", "from bot.cli import main; main()", "--home", str(tmp_path / "home"), "train"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "NO_COLOR": "1"}

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, str(path), *args], capture_output=True, text=True, env=environment)

    done = run("--processes", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("held-out loss") == 1
    again = run("--processes", "2")
    assert (again.returncode, again.stderr.count("exists already")) == (2, 1)
    assert "can't share a step" in run("--processes", "97", "--name", "other").stderr
