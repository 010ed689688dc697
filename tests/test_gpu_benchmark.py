"""The GPU benchmark without a GPU: it runs to its end, and says that nothing was measured."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_benchmark_runs_without_a_gpu_and_says_first_that_the_figures_are_to_be_measured(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("it would measure")
    out = tmp_path / "gpu.md"
    command = [sys.executable, "-m", "benchmarks.gpu_qlora", "--quick", "--out", str(out)]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[1], capture_output=True)
    text = out.read_text(encoding="utf-8")
    assert text.split("\n\n")[1].startswith("**The GPU figures are still to be measured**")
    assert "failed" not in text
    for row in ("4 × 512 tokens, loss on replies", "NF4 + adapter, batch 8", "bf16, compiled, batch 1"):
        assert row in text
