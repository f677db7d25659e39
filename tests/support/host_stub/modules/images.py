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
