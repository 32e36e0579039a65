"""Sample pictures: when they are due, what the prompts say, and drawing them."""

from __future__ import annotations

import argparse
import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy
import toml
import torch
from PIL import Image
from torch import Tensor

from library.dataset import LATENT_SCALE
from library.demo_model import LATENT_CHANNELS, CLIPTextModel, UNet2DConditionModel, tokens_of
from library.diffusion import denoise

logger = logging.getLogger(__name__)

LETTERS: dict[str, tuple[str, type]] = {
    "w": ("width", int),
    "h": ("height", int),
    "d": ("seed", int),
    "s": ("sample_steps", int),
    "l": ("scale", float),
    "g": ("guidance_scale", float),
    "n": ("negative_prompt", str),
    "ss": ("sample_sampler", str),
}


def is_due(args: argparse.Namespace, step: int, epoch: int | None) -> bool:
    """Whether samples are wanted now; `epoch` is given at the end of an epoch, None after a step."""
    if step == 0:
        return bool(args.sample_at_first)
    if args.sample_every_n_epochs:
        return epoch is not None and epoch % args.sample_every_n_epochs == 0
    if args.sample_every_n_steps and args.sample_every_n_steps > 0:
        return epoch is None and step % args.sample_every_n_steps == 0
    return False


def prompt_of_line(line: str) -> dict[str, Any]:
    """`a fox --w 64 --h 64 --d 1` as a table."""
    text, *options = line.split(" --")
    prompt: dict[str, Any] = {"prompt": text}
    for option in options:
        letter, _, value = option.partition(" ")
        if letter.lower() not in LETTERS:
            continue
        name, kind = LETTERS[letter.lower()]
        try:
            prompt[name] = kind(value.strip())
        except ValueError as error:
            logger.error(f"Exception in parsing: {option}")
            logger.error(error)
    return prompt


def load_prompts(path: Path) -> list[dict[str, Any]]:
    """The prompts of a .txt, .toml or .json file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".toml":
        table = toml.loads(text)["prompt"]
        return [{**{key: value for key, value in table.items() if key != "subset"}, **one} for one in table["subset"]]
    items: list[Any] = (
        json.loads(text)
        if path.suffix == ".json"
        else [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    )
    return [prompt_of_line(item) if isinstance(item, str) else item for item in items]


class Sampler:
    """Draws the prompts with the model as it is, and leaves the run's random numbers as they were."""

    def __init__(
        self,
        args: argparse.Namespace,
        text_encoder: CLIPTextModel,
        unet: UNet2DConditionModel,
        size: tuple[int, int],
    ) -> None:
        self.args = args
        self.text_encoder = text_encoder
        self.unet = unet
        self.size = size

    def draw_if_due(self, network: Any, step: int, epoch: int | None) -> None:
        if not is_due(self.args, step, epoch):
            return
        logger.info(f"generating sample images at step: {step}")
        prompts = Path(self.args.sample_prompts or "")
        if not prompts.is_file():
            logger.error(f"No prompt file: {self.args.sample_prompts}")
            return
        folder = Path(self.args.output_dir) / "sample"
        folder.mkdir(parents=True, exist_ok=True)
        network.eval()
        with torch.random.fork_rng(), torch.no_grad():
            for number, prompt in enumerate(load_prompts(prompts)):
                self._draw(folder, prompt, number, step, epoch)
        network.train()

    def _draw(self, folder: Path, prompt: dict[str, Any], number: int, step: int, epoch: int | None) -> None:
        seed = prompt.get("seed")
        if seed is None:
            torch.seed()
        else:
            torch.manual_seed(seed)
        scale = float(prompt.get("scale", 7.5))
        steps = max(1, min(1000, int(prompt.get("sample_steps", 30))))
        wanted = max(64, prompt.get("width", 512) // 8 * 8), max(64, prompt.get("height", 512) // 8 * 8)
        logger.info(f"prompt: {prompt.get('prompt', '')} (seed {seed}, {steps} steps, scale {scale}, {wanted})")
        device = self.unet.conv_in.weight.device
        both = [prompt.get("negative_prompt") or "", prompt.get("prompt", "")]
        context = self.text_encoder(torch.stack([tokens_of(text) for text in both]).to(device))

        def predict(latents: Tensor, timesteps: Tensor) -> Tensor:
            without, with_prompt = self.unet(latents.repeat(2, 1, 1, 1), timesteps.repeat(2), context).chunk(2)
            return without + scale * (with_prompt - without)

        width, height = (side // LATENT_SCALE for side in self.size)
        noise = torch.randn(1, LATENT_CHANNELS, height, width).to(device)
        drawn = denoise(noise, steps, predict, velocity=self.args.v_parameterization)[0]
        pixels = ((drawn.float() + 1) * 127.5).clamp(0, 255).byte().permute(1, 2, 0).cpu()
        image = Image.fromarray(numpy.asarray(pixels)).resize(wanted, Image.Resampling.NEAREST)
        name = f"{self.args.output_name}_" if self.args.output_name else ""
        moment = f"e{epoch:06d}" if epoch is not None else f"{step:06d}"
        ending = "" if seed is None else f"_{seed}"
        image.save(folder / f"{name}{moment}_{number:02d}_{time.strftime('%Y%m%d%H%M%S')}{ending}.png")
