"""library/config_util.py of the miniature: the schema of dataset configs, with the keys that specs use."""

CONFIG_UTIL = """
import argparse
import functools
from dataclasses import dataclass
from typing import Optional, Tuple

from voluptuous import Any, Invalid, Required, Schema

@dataclass
class BaseSubsetParams:
    image_dir: Optional[str] = None
    num_repeats: int = 1
    shuffle_caption: bool = False
    caption_separator: str = (",",)
    keep_tokens: int = 0
    keep_tokens_separator: str = (None,)
    color_aug: bool = False
    flip_aug: bool = False
    face_crop_aug_range: Optional[Tuple[float, float]] = None
    random_crop: bool = False
    caption_prefix: Optional[str] = None
    caption_suffix: Optional[str] = None
    caption_dropout_rate: float = 0.0
    caption_dropout_every_n_epochs: int = 0
    caption_tag_dropout_rate: float = 0.0
    token_warmup_min: int = 1
    token_warmup_step: float = 0

@dataclass
class DreamBoothSubsetParams(BaseSubsetParams):
    is_reg: bool = False
    class_tokens: Optional[str] = None
    caption_extension: str = ".caption"
    cache_info: bool = False
    alpha_mask: bool = False

@dataclass
class FineTuningSubsetParams(BaseSubsetParams):
    metadata_file: Optional[str] = None
    alpha_mask: bool = False

@dataclass
class ControlNetSubsetParams(BaseSubsetParams):
    conditioning_data_dir: str = None
    caption_extension: str = ".caption"
    cache_info: bool = False

@dataclass
class BaseDatasetParams:
    resolution: Optional[Tuple[int, int]] = None
    network_multiplier: float = 1.0
    debug_dataset: bool = False

@dataclass
class DreamBoothDatasetParams(BaseDatasetParams):
    batch_size: int = 1
    enable_bucket: bool = False
    min_bucket_reso: int = 256
    max_bucket_reso: int = 1024
    bucket_reso_steps: int = 64
    bucket_no_upscale: bool = False
    prior_loss_weight: float = 1.0

@dataclass
class FineTuningDatasetParams(BaseDatasetParams):
    batch_size: int = 1
    enable_bucket: bool = False
    min_bucket_reso: int = 256
    max_bucket_reso: int = 1024
    bucket_reso_steps: int = 64
    bucket_no_upscale: bool = False

@dataclass
class ControlNetDatasetParams(FineTuningDatasetParams):
    pass

class ConfigSanitizer:
    @staticmethod
    def __validate_and_convert_twodim(klass, value):
        Schema((klass, klass))(value)
        return tuple(value)

    @staticmethod
    def __validate_and_convert_scalar_or_twodim(klass, value):
        Schema(Any(klass, [klass, klass]))(value)
        return (value, value)

    SUBSET_ASCENDABLE_SCHEMA = {
        "num_repeats": int,
        "shuffle_caption": bool,
        "caption_separator": str,
        "keep_tokens": int,
        "keep_tokens_separator": str,
        "color_aug": bool,
        "flip_aug": bool,
        "face_crop_aug_range": functools.partial(__validate_and_convert_twodim.__func__, float),
        "random_crop": bool,
        "caption_prefix": str,
        "caption_suffix": str,
        "token_warmup_min": int,
        "token_warmup_step": Any(float, int),
    }
    DO_SUBSET_ASCENDABLE_SCHEMA = {
        "caption_dropout_every_n_epochs": int,
        "caption_dropout_rate": Any(float, int),
        "caption_tag_dropout_rate": Any(float, int),
    }
    DB_SUBSET_ASCENDABLE_SCHEMA = {"caption_extension": str, "class_tokens": str, "cache_info": bool}
    DB_SUBSET_DISTINCT_SCHEMA = {Required("image_dir"): str, "is_reg": bool, "alpha_mask": bool}
    FT_SUBSET_DISTINCT_SCHEMA = {Required("metadata_file"): str, "image_dir": str, "alpha_mask": bool}
    CN_SUBSET_ASCENDABLE_SCHEMA = {"caption_extension": str, "cache_info": bool}
    CN_SUBSET_DISTINCT_SCHEMA = {Required("image_dir"): str, Required("conditioning_data_dir"): str}
    DATASET_ASCENDABLE_SCHEMA = {
        "batch_size": int,
        "bucket_no_upscale": bool,
        "bucket_reso_steps": int,
        "enable_bucket": bool,
        "max_bucket_reso": int,
        "min_bucket_reso": int,
        "network_multiplier": float,
        "resolution": functools.partial(__validate_and_convert_scalar_or_twodim.__func__, int),
    }
    ARGPARSE_SPECIFIC_SCHEMA = {"debug_dataset": bool, "max_token_length": Any(None, int), "prior_loss_weight": float}
    ARGPARSE_NULLABLE_OPTNAMES = ["face_crop_aug_range", "resolution"]
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
            self.general_schema,
            self.ARGPARSE_SPECIFIC_SCHEMA,
            {name: Any(None, self.general_schema[name]) for name in self.ARGPARSE_NULLABLE_OPTNAMES},
            {name: self.general_schema[other] for name, other in self.ARGPARSE_OPTNAME_TO_CONFIG_OPTNAME.items()},
        )
"""
