from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo


def image_grid(imgs, batch_size=1):
    columns = max(1, len(imgs) // max(1, batch_size))
    rows = -(-len(imgs) // columns)
    width, height = imgs[0].size
    grid = Image.new("RGB", (columns * width, rows * height))
    for i, image in enumerate(imgs):
        grid.paste(image, (i % columns * width, i // columns * height))
    return grid


def save_image(image, path, basename, seed=None, info=None):
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    meta = PngInfo()
    if info:
        meta.add_text("parameters", info)
    file = folder / f"{len(list(folder.iterdir())):05}-{basename}{seed}.png"
    image.save(file, pnginfo=meta)
    return str(file)


def flatten(image, background):
    """A transparent image on a background, any other as it is; RGB."""
    if image.mode == "RGBA":
        below = Image.new("RGBA", image.size, background)
        below.alpha_composite(image)
        image = below
    return image.convert("RGB")


def resize_image(mode, image, width, height, upscaler_name=None):
    """0: stretched. 1: cut to fit. 2: filled up; here with black."""
    if mode == 0:
        return image.resize((width, height), Image.Resampling.LANCZOS)
    ratios = (width / image.width, height / image.height)
    ratio = max(ratios) if mode == 1 else min(ratios)
    scaled = image.resize((round(image.width * ratio), round(image.height * ratio)))
    result = Image.new(image.mode, (width, height))
    result.paste(scaled, ((width - scaled.width) // 2, (height - scaled.height) // 2))
    return result
