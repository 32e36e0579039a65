"""A small checkout, made up: what kl reads of library/config_util.py and of a script, with the constructs of the real
ones and a few of their keys.
"""

from __future__ import annotations

CONFIG_UTIL = """
@dataclass
class BaseSubsetParams:
    image_dir: Optional[str] = None
    num_repeats: int = 1
    shuffle_caption: bool = False
    keep_tokens: int = 0
    caption_separator: str = (",",)
    face_crop_aug_range: Optional[Tuple[float, float]] = None
    random_crop: bool = False
    caption_dropout_rate: float = 0.0

@dataclass
class DreamBoothSubsetParams(BaseSubsetParams):
    is_reg: bool = False
    class_tokens: Optional[str] = None
    caption_extension: str = ".caption"

@dataclass
class FineTuningSubsetParams(BaseSubsetParams):
    metadata_file: Optional[str] = None

@dataclass
class ControlNetSubsetParams(BaseSubsetParams):
    conditioning_data_dir: str = None
    caption_extension: str = ".caption"

@dataclass
class BaseDatasetParams:
    resolution: Optional[Tuple[int, int]] = None
    network_multiplier: float = 1.0
    validation_split: float = 0.0
    resize_interpolation: Optional[str] = None

@dataclass
class DreamBoothDatasetParams(BaseDatasetParams):
    batch_size: int = 1
    enable_bucket: bool = False
    min_bucket_reso: int = 256
    max_bucket_reso: int = 1024
    bucket_reso_steps: int = 64
    prior_loss_weight: float = 1.0

@dataclass
class FineTuningDatasetParams(BaseDatasetParams):
    batch_size: int = 1
    enable_bucket: bool = False
    min_bucket_reso: int = 256
    max_bucket_reso: int = 1024
    bucket_reso_steps: int = 64

@dataclass
class ControlNetDatasetParams(FineTuningDatasetParams):
    pass

class ConfigSanitizer:
    @staticmethod
    def __validate_and_convert_twodim(klass, value):
        return value

    @staticmethod
    def __validate_and_convert_scalar_or_twodim(klass, value):
        return value

    SUBSET_ASCENDABLE_SCHEMA = {
        "num_repeats": int,
        "shuffle_caption": bool,
        "keep_tokens": int,
        "caption_separator": str,
        "face_crop_aug_range": functools.partial(__validate_and_convert_twodim.__func__, float),
        "random_crop": bool,
        "custom_attributes": dict,
        "of_a_new_type": Coerce(int),
    }
    DO_SUBSET_ASCENDABLE_SCHEMA = {"caption_dropout_rate": Any(float, int)}
    DB_SUBSET_ASCENDABLE_SCHEMA = {"caption_extension": str, "class_tokens": str}
    DB_SUBSET_DISTINCT_SCHEMA = {Required("image_dir"): str, "is_reg": bool}
    FT_SUBSET_DISTINCT_SCHEMA = {Required("metadata_file"): str, "image_dir": str}
    CN_SUBSET_ASCENDABLE_SCHEMA = {"caption_extension": str}
    CN_SUBSET_DISTINCT_SCHEMA = {Required("image_dir"): str, Required("conditioning_data_dir"): str}
    DATASET_ASCENDABLE_SCHEMA = {
        "batch_size": int,
        "enable_bucket": bool,
        "min_bucket_reso": int,
        "max_bucket_reso": int,
        "bucket_reso_steps": int,
        "network_multiplier": float,
        "validation_split": float,
        "resize_interpolation": str,
        "resolution": functools.partial(__validate_and_convert_scalar_or_twodim.__func__, int),
    }
    ARGPARSE_SPECIFIC_SCHEMA = {"debug_dataset": bool, "max_token_length": Any(None, int)}
    ARGPARSE_OPTNAME_TO_CONFIG_OPTNAME = {"train_batch_size": "batch_size", "dataset_repeats": "num_repeats"}

    def __init__(self, support_dreambooth, support_finetuning, support_controlnet, support_dropout) -> None:
        assert support_dreambooth or support_finetuning or support_controlnet
        self.db_subset_schema = self.__merge_dict(
            self.SUBSET_ASCENDABLE_SCHEMA,
            self.DB_SUBSET_DISTINCT_SCHEMA,
            self.DB_SUBSET_ASCENDABLE_SCHEMA,
            self.DO_SUBSET_ASCENDABLE_SCHEMA if support_dropout else {},
        )
        self.ft_subset_schema = self.__merge_dict(
            self.SUBSET_ASCENDABLE_SCHEMA,
            self.FT_SUBSET_DISTINCT_SCHEMA,
            self.DO_SUBSET_ASCENDABLE_SCHEMA if support_dropout else {},
        )
        self.cn_subset_schema = self.__merge_dict(
            self.SUBSET_ASCENDABLE_SCHEMA, self.CN_SUBSET_DISTINCT_SCHEMA, self.CN_SUBSET_ASCENDABLE_SCHEMA
        )
        self.db_dataset_schema = self.__merge_dict(
            self.DATASET_ASCENDABLE_SCHEMA,
            self.SUBSET_ASCENDABLE_SCHEMA,
            self.DB_SUBSET_ASCENDABLE_SCHEMA,
            self.DO_SUBSET_ASCENDABLE_SCHEMA if support_dropout else {},
            {"subsets": [self.db_subset_schema]},
        )
        self.ft_dataset_schema = self.__merge_dict(
            self.DATASET_ASCENDABLE_SCHEMA,
            self.SUBSET_ASCENDABLE_SCHEMA,
            self.DO_SUBSET_ASCENDABLE_SCHEMA if support_dropout else {},
            {"subsets": [self.ft_subset_schema]},
        )
        self.cn_dataset_schema = self.__merge_dict(
            self.DATASET_ASCENDABLE_SCHEMA,
            self.SUBSET_ASCENDABLE_SCHEMA,
            self.CN_SUBSET_ASCENDABLE_SCHEMA,
            {"subsets": [self.cn_subset_schema]},
        )
        if support_dreambooth and support_finetuning:

            def validate_flex(config):
                subsets = config.get("subsets", [])
                if support_controlnet and all(["conditioning_data_dir" in subset for subset in subsets]):
                    return Schema(self.cn_dataset_schema)(config)
                elif all(["metadata_file" in subset for subset in subsets]):
                    return Schema(self.ft_dataset_schema)(config)
                elif all(["metadata_file" not in subset for subset in subsets]):
                    return Schema(self.db_dataset_schema)(config)
                else:
                    raise Invalid("mixed")

            self.dataset_schema = validate_flex
        elif support_dreambooth:
            if support_controlnet:
                self.dataset_schema = self.cn_dataset_schema
            else:
                self.dataset_schema = self.db_dataset_schema
        elif support_finetuning:
            self.dataset_schema = self.ft_dataset_schema
        elif support_controlnet:
            self.dataset_schema = self.cn_dataset_schema
        self.general_schema = self.__merge_dict(
            self.DATASET_ASCENDABLE_SCHEMA,
            self.SUBSET_ASCENDABLE_SCHEMA,
            self.DB_SUBSET_ASCENDABLE_SCHEMA if support_dreambooth else {},
            self.CN_SUBSET_ASCENDABLE_SCHEMA if support_controlnet else {},
            self.DO_SUBSET_ASCENDABLE_SCHEMA if support_dropout else {},
        )
        self.user_config_validator = Schema({"general": self.general_schema, "datasets": [self.dataset_schema]})
        self.argparse_schema = self.__merge_dict(
            self.general_schema, {name: Any(None, self.general_schema[name]) for name in self.NULLABLE}
        )


def generate_dataset_group_by_blueprint(group):
    for blueprint in group:
        if blueprint.params.validation_split < 0.0 or blueprint.params.validation_split > 1.0:
            continue
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
