"""kl: launch LoRA and LyCORIS training with kohya-ss/sd-scripts, and keep a record of every run."""

__version__ = "0.1.0"
