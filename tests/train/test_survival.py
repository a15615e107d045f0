"""A real training is killed, stopped and robbed of checkpoints, and ends in the bits of one that was left alone."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
STEPS = 16

# Imports once, then forks a process for each line "OUT SECONDS HOLD TERM", which trains until it ends or is ended.
PROGRAM = f"""
import os, signal, sys, time
sys.path.insert(0, {str(ROOT)!r})
import numpy as np, torch
from torch.optim.optimizer import register_optimizer_step_post_hook
from sdr.ssl.views import Views
from sdr.base.errors import program
from sdr.nets.backbone import Backbone
from sdr.nets.heads import Heads
from sdr.ssl.byol import Target
from sdr.ssl.simclr import Contrast
from sdr.base.checkpoint import Checkpoints
from sdr.train.compute import Compute, Device
from sdr.train.jobs import Common, sdr
from sdr.train.settings import Sdr
from sdr.train.loop import train
from sdr.train.optimizers import Optimization

plain = Device(bf16=False, teacher_bf16=False, channels_last=True, compile=False, fused=False, accumulate=1, resident=False)
common = Common(
    method="simsiam", byol=Target(momentum=0.9), simclr=Contrast(temperature=0.2), seed=0, compute=Compute(deterministic=False, cpu=plain, cuda=plain),
    backbone=Backbone(block="basic", layers=[1, 1, 1, 1], shared=[4, 4, 6, 8], group=[2, 2, 2, 4], groups=2,
                      stem_type="deep", stem_width=5),
    heads=Heads(projection=16, hidden=16, layers=2, output_norm=True, prediction=8),
    views=Views(side=16, scale=[0.2, 1.0], jitter=[0.4, 0.4, 0.4, 0.1], jitter_p=0.8, grey_p=0.2, blur_p=[0.0, 0.0],
                blur_sigma=[0.1, 2.0], solarise_p=[0.0, 0.0]),
)
params = Sdr(
    epochs={STEPS} * 8 / 40, init="random", teacher="supernet", own="none", first_phase=0.3, phase_growth=2.0, w0_share=0.25, train_teacher=False, progressive=True,
    subsets="cluster", distill="siamkd", distill_views=1, distill_weight=1.0, log_every=1,
    optimization=Optimization(optimizer="sgd", batch_size=8, lr=0.5, momentum=0.9, weight_decay=1e-4, warmup_epochs=0.5),
)

class Noise:
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
    reads = 0

    def __init__(self, hold, term):
        self.hold, self.term = hold, term

    def __len__(self):
        return 40

    def read(self, indices):
        self.reads += 1
        if self.reads == self.term:
            os.kill(os.getpid(), signal.SIGTERM)
        while self.reads > self.hold:  # stands still until it is killed
            time.sleep(1)
        return self.images[indices]

@program
def main(out, seconds, hold, term):
    job = sdr(params, common, np.arange(40) % 4, 4)
    checkpoints = Checkpoints("train_sdr", {{"toys": 1}}, seconds=float(seconds), keep=3)
    network, history, _ = train(job, Noise(int(hold), int(term)), checkpoints, torch.device("cpu"))
    torch.save({{"weights": network.state_dict(), "history": history}}, out)

done = os.open("steps", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
register_optimizer_step_post_hook(lambda *_: os.write(done, b"x"))
print("ready", flush=True)
for line in iter(sys.stdin.readline, ""):
    child = os.fork()
    if not child:
        os.dup2(os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        os.dup2(2, 1)
        try:
            main(*line.split())
        except SystemExit as end:
            if end.code:
                print(end.code, file=sys.stderr)
                os._exit(1)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass
class Trainings:
    """Runs of the program; each training of a test in a folder of its own."""

    server: subprocess.Popen
    folder: Path

    def run(
        self,
        out: str = "out",
        seconds: float = 0.0,
        hold: int = 10**9,
        term: int = 0,
        meanwhile: Callable[[int], None] = lambda pid: None,
    ) -> int:
        """Train, going on from what is there. Return the exit status; `meanwhile` is told the process."""
        self.server.stdin.write(f"{out} {seconds} {hold} {term}\n")
        self.server.stdin.flush()
        meanwhile(int(self.server.stdout.readline()))
        return int(self.server.stdout.readline())

    def checkpoints(self) -> list[Path]:
        """Oldest first."""
        return sorted((self.folder / "scratch").rglob("step-*.ckpt"))

    def reached(self) -> int:
        """Step of the last checkpoint."""
        return max((int(file.stem.removeprefix("step-")) for file in self.checkpoints()), default=0)

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()

    @property
    def steps_done(self) -> int:
        """Steps of an optimizer so far, of all runs together."""
        return (self.folder / "steps").stat().st_size

    def forget(self) -> None:
        os.truncate(self.folder / "steps", 0)
        for file in self.checkpoints():
            file.unlink()

    def same(self, one: str, two: str) -> bool:
        a, b = (torch.load(self.folder / name, weights_only=True) for name in (one, two))
        bits = [{name: value.numpy().tobytes() for name, value in end["weights"].items()} for end in (a, b)]
        return a["history"] == b["history"] and bits[0] == bits[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survival")
    (folder / "program.py").write_text(PROGRAM)
    environment = os.environ | {"SDR_SCRATCH": str(folder / "scratch"), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "program.py"], cwd=folder, env=environment, stdin=-1, stdout=-1, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        whole = Trainings(process, folder)
        assert whole.run("whole", seconds=1e9) == 0, whole.said
        assert whole.steps_done == STEPS and not whole.checkpoints()
        yield whole
        process.stdin.close()


@pytest.fixture
def trainings(server) -> Trainings:
    server.forget()
    return server


def test_killed_again_and_again_it_ends_in_the_same_bits(trainings):
    draw = random.Random(5)
    for after in sorted(draw.sample(range(STEPS - 6), 4)):

        def kill(pid: int, after: int = after) -> None:
            while trainings.reached() < after:
                os.kill(pid, 0)  # an error if it has ended
                time.sleep(0.001)
            time.sleep(draw.uniform(0, 0.05))  # anywhere in a step, or in a save
            os.kill(pid, signal.SIGKILL)

        begun = trainings.reached()
        assert trainings.run(hold=after - begun + 4, meanwhile=kill) == -signal.SIGKILL, trainings.said
        assert after <= trainings.reached() < STEPS
    assert trainings.run() == 0, trainings.said
    assert trainings.same("whole", "out")
    assert STEPS <= trainings.steps_done <= STEPS + 4  # a kill costs the step that was not yet saved


@pytest.mark.parametrize("term", [1, 9])
def test_told_to_stop_it_saves_its_last_step_and_goes_on_from_there(trainings, term):
    assert trainings.run(seconds=1e9, term=term) == 1
    assert trainings.said.splitlines()[-1].startswith("interrupted") and "Traceback" not in trainings.said
    assert len(trainings.checkpoints()) == 1
    assert 0 < trainings.reached() == trainings.steps_done < STEPS
    assert trainings.run(seconds=1e9) == 0, trainings.said
    assert trainings.steps_done == STEPS and trainings.same("whole", "out")


def test_without_its_last_checkpoint_it_uses_the_one_before(trainings):
    assert trainings.run(term=7) == 1
    *_, before, last = trainings.checkpoints()
    os.truncate(last, last.stat().st_size - 1)
    done = trainings.steps_done
    assert trainings.run() == 0
    assert f"{last.name}: it is truncated" in trainings.said and "the one before is used" in trainings.said
    assert trainings.same("whole", "out") and trainings.steps_done - done == STEPS - int(
        before.stem.removeprefix("step-")
    )


def test_without_any_whole_checkpoint_it_starts_anew(trainings):
    assert trainings.run(term=7) == 1
    for file in trainings.checkpoints():
        file.write_bytes(b"\0" * 5000)
    done = trainings.steps_done
    assert trainings.run() == 0
    assert trainings.said.count("it is not a checkpoint of this program") == 3 and "starting anew" in trainings.said
    assert trainings.same("whole", "out") and trainings.steps_done - done == STEPS
