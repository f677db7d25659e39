from PIL import Image, ImageFilter, ImageOps


def get_crop_region(mask, pad):
    """The box around what is not black, with `pad` pixels more, or None."""
    box = mask.getbbox()
    if box is None:
        return None
    x1, y1, x2, y2 = box
    return max(x1 - pad, 0), max(y1 - pad, 0), min(x2 + pad, mask.width), min(y2 + pad, mask.height)


def expand_crop_region(crop_region, processing_width, processing_height, image_width, image_height):
    """The smallest box around it of the processing size's proportions, moved into the image."""

    def stretched(low, high, wanted, most):
        more = wanted - (high - low)
        low = max(0, low - more // 2)
        high = min(most, low + wanted)
        return max(0, high - wanted), high

    x1, y1, x2, y2 = crop_region
    if (x2 - x1) / (y2 - y1) > processing_width / processing_height:
        wanted = int((x2 - x1) * processing_height / processing_width)
        y1, y2 = stretched(y1, y2, wanted, image_height)
    else:
        wanted = int((y2 - y1) * processing_width / processing_height)
        x1, x2 = stretched(x1, x2, wanted, image_width)
    return x1, y1, x2, y2


def fill(image, mask):
    """Colours from around, blurred into the masked part."""
    kept = Image.new("RGBa", image.size)
    kept.paste(image.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask.convert("L")))
    filled = Image.new("RGBA", image.size)
    for radius in (256, 64, 16, 4, 2, 0):
        filled.alpha_composite(kept.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA"))
    return filled.convert("RGB")
