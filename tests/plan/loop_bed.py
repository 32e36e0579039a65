"""A made-up trainer that says what the rules about saving, steps, samples, logs and processes look for, and no more."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from candidate_bed import candidate_of
from plan_bed import NEEDED, USUAL, option, switch

from launcher.base.findings import Finding, Severity
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.rule import Rule, apply_rules
from launcher.trainer.options import Option

E, W, A = Severity.ERROR, Severity.WARNING, Severity.ADVICE
_WHOLE = (
    "save_n_epoch_ratio", "gradient_accumulation_steps", "train_batch_size", "initial_step", "initial_epoch",
    "validate_every_n_steps", "validate_every_n_epochs", "max_validation_steps", "validation_seed",
    "sample_every_n_epochs", "ddp_timeout", "blocks_to_swap",
)  # fmt: skip
_TEXTS = (
    "optimizer_type", "in_json", "dataset_class", "network_weights", "log_with", "log_tracker_config",
    "log_tracker_name", "wandb_run_name", "console_log_file", "huggingface_repo_id", "huggingface_repo_type",
    "huggingface_path_in_repo", "huggingface_repo_visibility", "offload_optimizer_device",
    "offload_optimizer_nvme_path", "offload_param_device", "offload_param_nvme_path",
)  # fmt: skip
_SWITCHES = (
    "no_metadata", "skip_until_initial_step", "debug_dataset", "dim_from_weights", "resume_from_huggingface",
    "save_state_on_train_end", "save_state_to_huggingface", "async_upload", "sample_at_first",
    "persistent_data_loader_workers", "torch_compile", "ddp_gradient_as_bucket_view", "ddp_static_graph",
    "gradient_checkpointing", "cpu_offload_checkpointing", "deepspeed", "zero3_init_flag", "zero3_save_16bit_model",
    "fp16_master_weights_and_gradients",
)  # fmt: skip
OPTIONS: tuple[Option, ...] = (
    *USUAL,
    *(option(name, type="int") for name in _WHOLE),
    *(option(name, type="str") for name in _TEXTS),
    *(switch(name) for name in _SWITCHES),
    option("unet_lr", type="float"),
    option("validation_split", type="float", default=0.0),
    option("max_data_loader_n_workers", type="int", default=8),
    option("dynamo_backend", type="str", default="inductor"),
    option("zero_stage", type="int", default=2),
)

LOOP = """
class Trainer:
    def train(self, args):
        setup_logging(args, reset=True)
        if args.seed is None:
            args.seed = random.randint(0, 99)
        set_seed(args.seed)
        if args.debug_dataset:
            show(data)
            return
        unet.enable_gradient_checkpointing(cpu_offload=True)
        if args.gradient_checkpointing:
            if args.cpu_offload_checkpointing:
                unet.enable_gradient_checkpointing(cpu_offload=True)
        network.load_weights(args.network_weights)
        n_workers = min(args.max_data_loader_n_workers, os.cpu_count())
        loader = DataLoader(num_workers=n_workers, persistent_workers=args.persistent_data_loader_workers)
        if args.max_train_epochs is not None:
            args.max_train_steps = args.max_train_epochs * math.ceil(len(loader) / args.gradient_accumulation_steps)

        def load_model_hook(models, folder):
            steps_from_state = data["current_step"]

        resume_from_local_or_hf_if_specified(accelerator, args)
        num_update_steps_per_epoch = math.ceil(len(loader) / args.gradient_accumulation_steps)
        num_train_epochs = math.ceil(args.max_train_steps / num_update_steps_per_epoch)
        if args.save_n_epoch_ratio > 0:
            args.save_every_n_epochs = math.floor(num_train_epochs / args.save_n_epoch_ratio) or 1
        if args.initial_epoch is not None or args.initial_step is not None:
            if args.initial_step is not None:
                initial_step = args.initial_step
        assert args.max_train_steps > initial_step
        if initial_step > 0:
            if args.skip_until_initial_step:
                skip()
            else:
                initial_step = 0  # do not skip
        global_step = 0
        metadata = small if args.no_metadata else large
        for epoch in range(num_train_epochs):
            if args.save_every_n_steps is not None and global_step % args.save_every_n_steps == 0:
                save("." + args.save_model_as)
            validate = global_step % args.validate_every_n_steps == 0
            validate = (epoch + 1) % args.validate_every_n_epochs == 0
            saving = (epoch + 1) % args.save_every_n_epochs == 0 and (epoch + 1) < num_train_epochs
"""
UTIL = """
def make_buckets(self):
    count = math.ceil(len(bucket) / self.batch_size)

def verify_training_args(args):
    if args.sample_every_n_steps is not None and args.sample_every_n_steps <= 0:
        args.sample_every_n_steps = None

def resume_from_local_or_hf_if_specified(accelerator, args):
    if not args.resume_from_huggingface:
        accelerator.load_state(args.resume)
    repository = args.resume.split("/")[0] + "/" + args.resume.split("/")[1]

def prepare_accelerator(args):
    log_with = "tensorboard"
    import wandb
    if args.torch_compile:
        dynamo_backend = args.dynamo_backend
    timeout = args.ddp_timeout
    return Accelerator(mixed_precision=args.mixed_precision, dynamo_backend=dynamo_backend)

def get_remove_epoch_no(args, epoch_no):
    return epoch_no - args.save_every_n_epochs * args.save_last_n_epochs

def get_remove_step_no(args, step_no):
    return floor(step_no - args.save_last_n_steps - 1)

def save_and_remove_state_stepwise(args, accelerator, step_no):
    last = args.save_last_n_steps_state

def save_state_on_train_end(args, accelerator):
    if args.save_state_to_huggingface:
        upload()

def sample_images_common(args, epoch, steps):
    if args.sample_every_n_steps is None and args.sample_every_n_epochs is None:
        return
    if args.sample_every_n_epochs is not None:
        if epoch % args.sample_every_n_epochs != 0:
            return
    elif steps % args.sample_every_n_steps != 0:
        return
    if not os.path.isfile(args.sample_prompts):
        return

def init_trackers(accelerator, args):
    init_kwargs = toml.load(args.log_tracker_config)
"""
BARE = {"train_network.py": "for epoch in range(9):\n    pass\n"}  # a checkout without any rule's source
SOURCES: Mapping[str, str] = {
    "train_network.py": LOOP,
    "library/train_util.py": UTIL,
    "library/utils.py": "def setup_logging(args):\n    handler = logging.FileHandler(args.console_log_file)\n",
    "library/config_util.py": (
        "def generate_dataset_group_by_blueprint(group):\n"
        "    if group.params.validation_split < 0.0 or group.params.validation_split > 1.0:\n        warn()\n"
        "    if group.params.validation_split == 0.0:\n        pass\n"
    ),
    "library/huggingface_util.py": (
        "def upload(args, source, dest_suffix):\n"
        "    repository = args.huggingface_repo_id\n"
        "    path = args.huggingface_path_in_repo + dest_suffix "
        "if args.huggingface_path_in_repo is not None else None\n"
        '    private = args.huggingface_repo_visibility != "public"\n'
    ),
    "library/deepspeed_utils.py": (
        "def prepare_deepspeed_plugin(args):\n"
        "    if not args.deepspeed:\n        return None\n"
        "    import deepspeed\n"
        '    number = int(os.environ["WORLD_SIZE"])\n'
    ),
    "library/original_unet.py": "class Model:\n    def enable_gradient_checkpointing(self):\n        pass\n",
}


def run_of(
    folder: Path,
    text: str,
    *,
    name: str = "fox-v1s100",
    sources: Mapping[str, str] | None = None,
    packages: Mapping[str, str] | None = None,
    script_file: str = "train_network.py",
    environ: Mapping[str, str] | None = None,
    options: Iterable[Option] = OPTIONS,
) -> Candidate:
    """A run of the made-up trainer. `text` is the spec without what every spec needs."""
    return candidate_of(
        folder, NEEDED + text, *options, name=name, sources=SOURCES if sources is None else sources,
        packages=packages, script_file=script_file, environ=environ,
    )  # fmt: skip


def said_by(rules: Iterable[Rule], candidate: Candidate, code: str) -> Finding | None:
    """The finding of this code, if there is one; every code is that of one rule."""
    found = [finding for finding in apply_rules(rules, candidate) if finding.code == code]
    assert len(found) <= 1
    return found[0] if found else None


def table_tests(
    rules: Sequence[Rule], speaks: Sequence[tuple[str, str, Severity, str]], quiet: Sequence[tuple[str, str]], *,
    name: str = "fox-v1s100", placeless: Container[str] = (), anywhere: Container[str] = (),
    elsewhere: Iterable[str] = (),
) -> tuple[Callable[..., None], Callable[..., None], Callable[..., None], Callable[[], None]]:  # fmt: skip
    """Four tests of a module: its rules speak, keep quiet, are silent without their source, and all are in the tables.

    `speaks` are code, spec, severity and a part of the message, `quiet` code and spec. The rules `placeless` point
    nowhere in the spec, as all do for an empty one; those `anywhere` rest on options alone; those `elsewhere` have
    tests of their own.
    """

    def run(folder: Path, text: str, sources: Mapping[str, str] | None = None) -> Candidate:
        return run_of(folder, text, name=name, sources=sources, environ={"HOME": str(folder)})

    @pytest.mark.parametrize(("code", "text", "severity", "part"), speaks)
    def speaking(tmp_path: Path, code: str, text: str, severity: Severity, part: str) -> None:
        finding = said_by(rules, run(tmp_path, text), code)
        assert finding is not None
        assert part in finding.message
        assert finding.severity is severity
        place = None if finding.where is None else finding.where.rpartition(":")[0]
        assert place == (str(tmp_path / "fox.toml") if text and code not in placeless else None)

    @pytest.mark.parametrize(("code", "text"), quiet)
    def keeping_quiet(tmp_path: Path, code: str, text: str) -> None:
        assert said_by(rules, run(tmp_path, text), code) is None

    @pytest.mark.parametrize(("code", "text"), [(code, text) for code, text, _, _ in speaks if code not in anywhere])
    def silent_without_its_source(tmp_path: Path, code: str, text: str) -> None:
        assert said_by(rules, run(tmp_path, text, BARE), code) is None

    def every_rule_is_here() -> None:
        named = {rule.code.name for rule in rules}
        assert named == {case[0] for case in speaks}.union(elsewhere) == {case[0] for case in quiet}.union(elsewhere)

    return speaking, keeping_quiet, silent_without_its_source, every_rule_is_here


def without_packages(candidate: Candidate) -> Candidate:
    """The same run in an environment whose packages are not known."""
    return replace(candidate, packages=replace(candidate.packages, site=()))
