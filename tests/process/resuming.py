"""A stand-in for train_network.py that saves states and is resumed, and counts then as sd-scripts does."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import replace
from pathlib import Path

from launching import Bed, make_plan

from launcher.base.origin import Origin, Source
from launcher.plan.plan import Argument, Plan, Trainer

NAME = "fox-v1s12"
STEPS_PER_EPOCH = 3

# CRASH_AT: the step before which the first attempt dies, CRASH_AGAIN_AT a resumed one; CRASH_BY a signal's number.
TRAINER = """
import argparse, json, os, sys, time, zipfile
from pathlib import Path

class tqdm:
    def __init__(self, span, initial=0, **more):
        self.done, self.total = initial, len(span)
        self.update(0)
    def update(self, number):
        self.done += number
        bar = "steps:  50%|###| {}/{} [00:01<00:01,  1.50s/it, avr_loss=0.25]"
        sys.stderr.write("\\r" + bar.format(self.done, self.total))
        sys.stderr.flush()

def write_model(path, step):
    tensor = {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}
    text = json.dumps({"__metadata__": {"ss_steps": str(step)}, "a": tensor})
    path.write_bytes(len(text).to_bytes(8, "little") + text.encode() + b"ab")

def save_state(folder, epoch, step):
    folder.mkdir(exist_ok=True)
    (folder / "train_state.json").write_text(json.dumps({"current_epoch": epoch, "current_step": step}))
    write_model(folder / "model.safetensors", step)
    for name in ("optimizer.bin", "scheduler.bin", "random_states_0.pkl"):
        with zipfile.ZipFile(folder / name, "w") as file:
            file.writestr("data", str(step) * 100)

class NetworkTrainer:
    def train(self, args):
        train_dataloader = range(BATCHES)
        out, name = Path(args.output_dir), args.output_name
        initial_step = 0
        if args.resume:
            initial_step = json.loads((Path(args.resume) / "train_state.json").read_text())["current_step"]
            assert args.max_train_steps > initial_step
        epoch_to_start = 0
        if initial_step > 0:
            epoch_to_start = initial_step // len(train_dataloader)
            if not args.skip_until_initial_step:
                initial_step = 0
        global_step = 0
        if initial_step > 0:
            for _ in range(epoch_to_start):
                initial_step -= len(train_dataloader)
            global_step = initial_step
        progress_bar = tqdm(range(args.max_train_steps - initial_step), desc="steps")
        crash_at = int(os.environ.get("CRASH_AGAIN_AT" if args.resume else "CRASH_AT", 0))
        for epoch in range(epoch_to_start, 100):
            for batch in list(train_dataloader)[initial_step:]:
                if global_step + 1 == crash_at:
                    if "CRASH_BY" in os.environ:
                        os.kill(os.getpid(), int(os.environ["CRASH_BY"]))
                        time.sleep(100)
                    raise RuntimeError("told to crash")
                global_step += 1
                progress_bar.update(1)
                if global_step % args.save_every_n_steps == 0:
                    write_model(out / f"{name}-step{global_step:08d}.safetensors", global_step)
                    save_state(out / f"{name}-step{global_step:08d}-state", epoch + 1, global_step)
                if global_step >= args.max_train_steps:
                    break
            initial_step = 0
            if global_step >= args.max_train_steps:
                break
            write_model(out / f"{name}-{epoch + 1:06d}.safetensors", global_step)
        save_state(out / f"{name}-state", epoch + 1, global_step)
        write_model(out / f"{name}.safetensors", global_step)

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option in ("output_dir", "output_name", "resume", "lr_scheduler"):
        parser.add_argument(f"--{option}")
    for option, default in (("max_train_steps", 12), ("save_every_n_steps", 2), ("gradient_accumulation_steps", 1)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--skip_until_initial_step", action="store_true")
    parser.add_argument("--sample_at_first", action="store_true")
    NetworkTrainer().train(parser.parse_args())
"""


def resumable_plan(bed: Bed, *, auto_resume: bool = False, trainer: str = TRAINER, name: str = NAME) -> Plan:
    """A plan that trains 12 steps, 3 an epoch, with a state every 2."""
    plan = make_plan(bed, "", name)
    text = textwrap.dedent(trainer).replace("BATCHES", str(STEPS_PER_EPOCH))
    (bed.checkout / "train_network.py").write_text(text, encoding="utf-8")
    kl = Origin(Source.KL, "kl")
    spec = Origin(Source.SPEC, "fox.toml", Path("fox.toml"), 3)
    values = {"output_dir": str(plan.directory), "output_name": name}
    return replace(
        plan,
        trainer=Trainer(bed.checkout, None, "train_network.py"),
        environment=replace(plan.environment, python=Path(sys.executable)),
        arguments=(
            Argument("max_train_steps", ("--max_train_steps=12",), 12, spec),
            Argument("lr_scheduler", ("--lr_scheduler=cosine",), "cosine", spec),
            Argument("sample_at_first", ("--sample_at_first",), True, spec),
            *(Argument(option, (f"--{option}={value}",), value, kl) for option, value in values.items()),
        ),
        steps=12,
        auto_resume=auto_resume,
    )


def model_names(directory: Path) -> set[str]:
    return {path.name for path in directory.glob("*.safetensors")}


# What one unbroken run leaves.
UNBROKEN = {
    f"{NAME}.safetensors",
    *(f"{NAME}-step{step:08d}.safetensors" for step in range(2, 13, 2)),
    *(f"{NAME}-{epoch:06d}.safetensors" for epoch in (1, 2, 3)),
}
