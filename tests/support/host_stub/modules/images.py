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


def save_image(image, path, basename, seed=None, prompt=None, extension="png", info=None):
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    meta = PngInfo()
    if info:
        meta.add_text("parameters", info)
    file = folder / f"{len(list(folder.iterdir())):05}-{basename}{seed}.{extension}"
    image.save(file, pnginfo=meta)
    return str(file)


def flatten(img, bgcolor):
    """A transparent image on a background, any other as it is; RGB."""
    if img.mode == "RGBA":
        below = Image.new("RGBA", img.size, bgcolor)
        below.alpha_composite(img)
        img = below
    return img.convert("RGB")


def resize_image(resize_mode, im, width, height, upscaler_name=None):
    """0: stretched. 1: cut to fit. 2: filled up; here with black."""
    if resize_mode == 0:
        return im.resize((width, height), Image.Resampling.LANCZOS)
    ratios = (width / im.width, height / im.height)
    ratio = max(ratios) if resize_mode == 1 else min(ratios)
    scaled = im.resize((round(im.width * ratio), round(im.height * ratio)))
    result = Image.new(im.mode, (width, height))
    result.paste(scaled, ((width - scaled.width) // 2, (height - scaled.height) // 2))
    return result
