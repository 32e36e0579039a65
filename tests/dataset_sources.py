"""A small checkout, made up: what kl reads of library/config_util.py and of a script, with the constructs of the real
ones and a few of their keys. It is only read, never run; library/config_util.py is put together from what stands below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Validators of a value, as the schema has them.
_NUMBER = "Any(float, int)"
_PAIR = "functools.partial(__to_twodim.__func__, float)"
_SIZE = "functools.partial(__to_scalar_or_twodim.__func__, int)"

# The groups of keys: by validator, each key with the default of its parameter, or ... if it has none. With a `!` the
# key is required.
_GROUPS: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "DATASET_ASCENDABLE": {
        "bool": dict.fromkeys(("bucket_no_upscale", "enable_bucket"), False),
        "float": {"network_multiplier": 1.0, "validation_split": 0.0},
        "int": {"batch_size": 1, "bucket_reso_steps": 64, "max_bucket_reso": 1024, "min_bucket_reso": 256},
        "str": {"resize_interpolation": None},
        _SIZE: {"resolution": None},
    },
    "SUBSET_ASCENDABLE": {
        "bool": dict.fromkeys(("color_aug", "flip_aug", "random_crop", "shuffle_caption"), False),
        "dict": {"custom_attributes": ...},
        "int": {"keep_tokens": 0, "num_repeats": 1, "token_warmup_min": 1},
        "str": {
            "caption_prefix": None,
            "caption_suffix": None,
            "caption_separator": (",",),
            "keep_tokens_separator": (None,),
        },
        "Coerce(int)": {"of_a_new_type": ...},
        _NUMBER: {"token_warmup_step": 0},
        _PAIR: {"face_crop_aug_range": None},
    },
    "DO_SUBSET_ASCENDABLE": {
        "int": {"caption_dropout_every_n_epochs": 0},
        _NUMBER: dict.fromkeys(("caption_dropout_rate", "caption_tag_dropout_rate"), 0.0),
    },
    "CN_SUBSET_ASCENDABLE": {"bool": {"cache_info": False}, "str": {"caption_extension": ".caption"}},
    "CN_SUBSET_DISTINCT": {"str": dict.fromkeys(("conditioning_data_dir!", "image_dir!"))},
    "DB_SUBSET_ASCENDABLE": {
        "bool": {"cache_info": False},
        "str": {"caption_extension": ".caption", "class_tokens": None},
    },
    "DB_SUBSET_DISTINCT": {"bool": dict.fromkeys(("alpha_mask", "is_reg"), False), "str": {"image_dir!": None}},
    "FT_SUBSET_DISTINCT": {"bool": {"alpha_mask": False}, "str": dict.fromkeys(("image_dir", "metadata_file!"))},
    "ARGPARSE_SPECIFIC": {"Any(None, int)": {"max_token_length": ...}, "bool": {"debug_dataset": False}},
    "ARGPARSE_DREAMBOOTH": {"float": {"prior_loss_weight": 1.0}},
}
# The classes of parameters, each with the groups that its fields are of.
_PARAMS = {
    "BaseDatasetParams": ("DATASET_ASCENDABLE", "ARGPARSE_SPECIFIC"),
    "DreamBoothDatasetParams(BaseDatasetParams)": ("ARGPARSE_DREAMBOOTH",),
    "FineTuningDatasetParams(BaseDatasetParams)": (),
    "ControlNetDatasetParams(FineTuningDatasetParams)": (),
    "BaseSubsetParams": ("SUBSET_ASCENDABLE", "DO_SUBSET_ASCENDABLE"),
    "DreamBoothSubsetParams(BaseSubsetParams)": ("DB_SUBSET_ASCENDABLE", "DB_SUBSET_DISTINCT"),
    "FineTuningSubsetParams(BaseSubsetParams)": ("FT_SUBSET_DISTINCT",),
    "ControlNetSubsetParams(BaseSubsetParams)": ("CN_SUBSET_ASCENDABLE", "CN_SUBSET_DISTINCT"),
}
_RENAMED = {"dataset_repeats": "num_repeats", "train_batch_size": "batch_size"}
_FLAGS = {"DB": "support_dreambooth", "FT": "support_finetuning", "CN": "support_controlnet", "DO": "support_dropout"}
# What all subsets of a dataset have or lack, by which its kind is told; asked in this order.
_TOLD = (
    ("CN", 'support_controlnet and all(["conditioning_data_dir" in'),
    ("FT", 'all(["metadata_file" in'),
    ("DB", 'all(["metadata_file" not in'),
)


def _part(group: str, *, if_supported: bool = False) -> str:
    """A group as __init__ names it; `if_supported`, where only some scripts have its keys."""
    when = f" if {_FLAGS[group[:2]]} else {{}}" if if_supported else ""
    return f"self.{group}_SCHEMA{when}"


def _merged(name: str, parts: Iterable[str]) -> str:
    lines = "".join(f"            {part},\n" for part in parts)
    return f"        self.{name}_schema = self.__merge_dict(\n{lines}        )\n"


def _kind(kind: str) -> str:
    """The schemas of a kind's subsets and of its datasets, which may say what all their subsets are to have."""
    name = kind.lower()
    own = [group for group in _GROUPS if group.startswith(kind)]
    of_all = [_part("DO_SUBSET_ASCENDABLE", if_supported=True), _part("SUBSET_ASCENDABLE")]
    shared = [_part(group) for group in own if group.endswith("ASCENDABLE")]
    nested = f'{{"subsets": [self.{name}_subset_schema]}}'
    return _merged(f"{name}_subset", [*of_all, *map(_part, own)]) + _merged(
        f"{name}_dataset", [nested, *of_all, *shared, _part("DATASET_ASCENDABLE")]
    )


def _general() -> str:
    some = [_part(group, if_supported=True) for group in _GROUPS if group[2:] == "_SUBSET_ASCENDABLE"]
    return _merged("general", [*some, *map(_part, ("SUBSET_ASCENDABLE", "DATASET_ASCENDABLE"))])


def _group(name: str) -> str:
    wanted = [(key, validator) for validator, keys in _GROUPS[name].items() for key in keys]
    entries = ", ".join(
        f'Required("{key[:-1]}"): {validator}' if key.endswith("!") else f'"{key}": {validator}'
        for key, validator in wanted
    )
    return f"    {name}_SCHEMA = {{{entries}}}\n"


def _class(head: str, groups: Iterable[str]) -> str:
    defaults = [item for name in groups for keys in _GROUPS[name].values() for item in keys.items()]
    fields = (f"    {key.rstrip('!')}: object = {default!r}\n" for key, default in defaults if default is not ...)
    return f"\n@dataclass\nclass {head}:\n{''.join(fields) or '    pass'}\n"


def _choices() -> str:
    """The if/elif chain that tells the kind of a dataset."""
    lines = (
        f"if {told} subset for subset in subsets]): return Schema(self.{kind.lower()}_dataset_schema)(table)\n"
        for kind, told in _TOLD
    )
    indent = " " * 16
    return indent + f"{indent}el".join(lines) + f"{indent}else: raise Invalid(table)\n"


CONFIG_UTIL = f"""
import functools
from dataclasses import dataclass

from voluptuous import Any, Coerce, Invalid, Required, Schema
{"".join(map(_class, _PARAMS, _PARAMS.values()))}
class ConfigSanitizer:
    ARGPARSE_OPTNAME_TO_CONFIG_OPTNAME = {_RENAMED}

    @staticmethod
    def __to_twodim(number, pair): ...

    @staticmethod
    def __to_scalar_or_twodim(number, one_or_pair): ...

{"".join(map(_group, _GROUPS))}
    def __init__(self, {", ".join(_FLAGS.values())}):
        assert support_finetuning or support_dreambooth or support_controlnet
{"".join(map(_kind, ("CN", "DB", "FT")))}{_general()}
        if support_dreambooth and support_finetuning:
            def of_any_kind(table):
                subsets = table.get("subsets", ())
{_choices()}
            self.dataset_schema = of_any_kind
        elif support_finetuning: self.dataset_schema = self.ft_dataset_schema
        elif support_dreambooth:
            if support_controlnet: self.dataset_schema = self.cn_dataset_schema
            else: self.dataset_schema = self.db_dataset_schema
        elif support_controlnet: self.dataset_schema = self.cn_dataset_schema

        self.user_config_validator = Schema({{"general": self.general_schema, "datasets": [self.dataset_schema]}})
        self.argparse_schema = self.__merge_dict({{key: Any(None, self.general_schema[key]) for key in self.NULLABLE}})

def generate_dataset_group_by_blueprint(group):
    return [each for each in group if not (each.params.validation_split < 0.0 or each.params.validation_split > 1.0)]
"""

TRAIN_NETWORK = """
class NetworkTrainer:
    def assert_extra_args(self, args, train_dataset_group):
        train_dataset_group.verify_bucket_reso_steps(64)
        if args.validate:
            train_dataset_group.verify_bucket_reso_steps(128)

    def train(self, args):
        if args.dataset_class is not None:
            return load_arbitrary_dataset(args)
        blueprint_generator = BlueprintGenerator(ConfigSanitizer(True, True, args.masked_loss, True))
        if args.dataset_config is not None:
            ignored = ["train_data_dir", "reg_data_dir", "in_json"]
        elif args.in_json is None:
            subsets = config_util.generate_dreambooth_subsets_config_by_subdirs(args.train_data_dir, args.reg_data_dir)
        else:
            subsets = [{"image_dir": args.train_data_dir, "metadata_file": args.in_json}]
"""

SDXL_TRAIN_NETWORK = """
import train_network

class SdxlNetworkTrainer(train_network.NetworkTrainer):
    def assert_extra_args(self, args, train_dataset_group):
        train_dataset_group.verify_bucket_reso_steps(32)
"""

FLUX_TRAIN_NETWORK = """
import train_network

class FluxNetworkTrainer(train_network.NetworkTrainer):
    def assert_extra_args(self, args, train_dataset_group):
        super().assert_extra_args(args, train_dataset_group)
        train_dataset_group.verify_bucket_reso_steps(32)
"""

TRAIN_CONTROL_NET = """
def train(args):
    blueprint_generator = BlueprintGenerator(ConfigSanitizer(False, False, True, True))
    ignored = ["train_data_dir", "conditioning_data_dir"]
    subsets = config_util.generate_controlnet_subsets_config_by_subdirs(
        args.train_data_dir, args.conditioning_data_dir, args.caption_extension
    )
    train_dataset_group.verify_bucket_reso_steps(64)
"""

TRAIN_DB = """
def train(args):
    blueprint_generator = BlueprintGenerator(ConfigSanitizer(True, False, args.masked_loss, True))
    subsets = config_util.generate_dreambooth_subsets_config_by_subdirs(args.train_data_dir, args.reg_data_dir)
"""

TRAIN_UTIL = """
class BaseDataset:
    def __init__(self, resize_interpolation):
        if resize_interpolation is not None:
            assert validate_interpolation_fn(resize_interpolation)

    def adjust_min_max_bucket_reso_by_steps(self, resolution, min_bucket_reso, max_bucket_reso, bucket_reso_steps):
        lowest = min_bucket_reso - min_bucket_reso % bucket_reso_steps
        highest = max_bucket_reso + bucket_reso_steps - max_bucket_reso % bucket_reso_steps
        assert (
            min(resolution) >= min_bucket_reso
        )
        assert max(resolution) <= max_bucket_reso

    def process_caption(self, subset, caption):
        if subset.shuffle_caption or subset.token_warmup_step > 0 or subset.caption_tag_dropout_rate > 0:
            caption = shuffled(caption)

    def make_buckets(self):
        batch_count = int(math.ceil(len(bucket) / self.batch_size))

    def verify_bucket_reso_steps(self, min_steps):
        assert self.bucket_reso_steps is None or self.bucket_reso_steps % min_steps == 0

class DreamBoothDataset(BaseDataset):
    def __init__(self, resolution):
        assert resolution is not None

class FineTuningDataset(BaseDataset):
    def __init__(self, resolution):
        self.size = min(self.width, self.height)

class ControlNetDataset(BaseDataset):
    def __init__(self, subsets):
        assert (
            not subset.random_crop
        )
"""

UTILS = """
def validate_interpolation_fn(interpolation_str):
    return interpolation_str in ["lanczos", "nearest", "area"]
"""

SOURCES = {
    "library/config_util.py": CONFIG_UTIL,
    "library/train_util.py": TRAIN_UTIL,
    "library/utils.py": UTILS,
    "train_network.py": TRAIN_NETWORK,
    "sdxl_train_network.py": SDXL_TRAIN_NETWORK,
    "flux_train_network.py": FLUX_TRAIN_NETWORK,
    "train_control_net.py": TRAIN_CONTROL_NET,
    "train_db.py": TRAIN_DB,
}
