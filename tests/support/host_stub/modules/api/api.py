import base64
from io import BytesIO

from PIL import Image


class HTTPException(Exception):  # noqa: N818  the host's name
    def __init__(self, status_code, detail):
        super().__init__()
        self.detail = detail


def decode_base64_to_image(encoding):
    if encoding.startswith("data:image/"):
        encoding = encoding.split(";")[1].split(",")[1]
    try:
        return Image.open(BytesIO(base64.b64decode(encoding)))
    except Exception as error:
        raise HTTPException(500, "Invalid encoded image") from error
