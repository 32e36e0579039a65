"""The kinds of findings about folders and pictures."""

from __future__ import annotations

from launcher.base.findings import Code, Severity

_TRAIN_UTIL = "library/train_util.py"

NO_DATA = Code(
    "no-data",
    Severity.ERROR,
    "The trainer says that there is no data and ends with exit status 0, as if it had trained.",
    "train_network.py, NetworkTrainer.train",
)
FOLDER_MISSING = Code(
    "subset-folder-missing",
    Severity.ERROR,
    "The trainer leaves a subset out whose folder is not there and trains on the others; only its log says so.",
    f"{_TRAIN_UTIL}, DreamBoothDataset.__init__",
)
FOLDER_EMPTY = Code(
    "subset-without-pictures",
    Severity.WARNING,
    "The trainer leaves a subset without pictures out and trains on the others; only its log says so.",
    f"{_TRAIN_UTIL}, DreamBoothDataset.__init__",
)
OTHER_FORMAT = Code(
    "picture-not-taken",
    Severity.WARNING,
    "The trainer goes by extensions, written to the letter; pictures with others it passes over without a word.",
    f"{_TRAIN_UTIL}, IMAGE_EXTENSIONS and glob_images",
)
UNREADABLE = Code(
    "picture-unreadable",
    Severity.ERROR,
    "The trainer fails at this file: when it sorts pictures into buckets, or minutes later when it loads it.",
    f"{_TRAIN_UTIL}, BaseDataset.get_image_size and load_image",
)
CUT_OFF = Code(
    "picture-cut-off",
    Severity.ERROR,
    "The header is sound, but the file ends before the picture does; Pillow refuses it when it is loaded.",
    f"{_TRAIN_UTIL}, load_image",
)
TOO_LARGE = Code(
    "picture-too-large",
    Severity.ERROR,
    "Pillow takes a picture with this many pixels for an attack and refuses to open it.",
    "PIL/Image.py, _decompression_bomb_check",
)
NO_BUCKET = Code(
    "picture-without-bucket",
    Severity.ERROR,
    "With bucket_no_upscale a bucket is a whole number of bucket_reso_steps wide and high, and never larger than the "
    "picture. Of one that is smaller than a step nothing is left: the trainer divides by zero, or fails at loading.",
    f"{_TRAIN_UTIL}, BucketManager.select_bucket",
)
LEFT_SMALL = Code(
    "picture-left-small",
    Severity.WARNING,
    "With bucket_no_upscale pictures are not enlarged, so these are trained on at their own size, far below the "
    "resolution.",
    f"{_TRAIN_UTIL}, BucketManager.select_bucket",
)
NO_BUCKETS = Code(
    "no-buckets",
    Severity.ERROR,
    "No bucket can be made of these numbers; the trainer divides by zero before it looks at a picture.",
    "library/model_util.py, make_bucket_resolutions",
)
ONE_STEM = Code(
    "pictures-of-one-stem",
    Severity.WARNING,
    "Pictures that differ only in their extension share one caption file, and the file that latents are cached in.",
    f"{_TRAIN_UTIL}, read_caption; library/strategy_sd.py, get_latents_npz_path",
)
REG_UNUSED = Code(
    "reg-images-unused",
    Severity.WARNING,
    "Regularization images are only taken until there are as many as training images, repeats counted on both sides.",
    f"{_TRAIN_UTIL}, DreamBoothDataset.__init__",
)
CONDITIONING = Code(
    "conditioning-pictures",
    Severity.ERROR,
    "Every picture needs a conditioning picture of the same name, and with buckets of the same size; the trainer "
    "stops otherwise.",
    f"{_TRAIN_UTIL}, ControlNetDataset",
)
METADATA = Code(
    "metadata-unusable",
    Severity.ERROR,
    "The trainer fails at this metadata file, or at the pictures that it names.",
    f"{_TRAIN_UTIL}, FineTuningDataset.__init__ and load_dreambooth_dir",
)
STALE_LIST = Code(
    "picture-list-stale",
    Severity.ERROR,
    "With cache_info the trainer goes by its own list of the folder, made by an earlier run: pictures that came later "
    "are left out, and it fails at those that are gone.",
    f"{_TRAIN_UTIL}, load_dreambooth_dir",
)
