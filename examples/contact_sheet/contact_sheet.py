"""A folder of pictures becomes one sheet of small ones: load, shrink, join. Each picture is shrunk as soon as it is loaded.

    tq-worker contact_sheet.py
    python contact_sheet.py pictures sheet.png

A picture that cannot be read leaves a gap: ``on_error="collect"``.
"""

import io
import math
import sys
from pathlib import Path

import tq
from PIL import Image

app = tq.App()
SIDE = 96


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@app.task(retries=2)
def load(path: Path) -> bytes:
    return png(Image.open(path).convert("RGB"))


@app.task
def shrink(picture: bytes) -> bytes:
    image = Image.open(io.BytesIO(picture))
    image.thumbnail((SIDE, SIDE))
    return png(image)


@app.task(on_error="collect")
def join(pictures: list[bytes | tq.Failed]) -> bytes:
    columns = math.ceil(math.sqrt(len(pictures)))
    sheet = Image.new("RGB", (columns * SIDE, math.ceil(len(pictures) / columns) * SIDE), "white")
    for place, picture in enumerate(pictures):
        if not isinstance(picture, tq.Failed):
            sheet.paste(Image.open(io.BytesIO(picture)), (place % columns * SIDE, place // columns * SIDE))
    return png(sheet)


if __name__ == "__main__":
    folder, target = map(Path, sys.argv[1:])
    small = shrink.map(load.map(sorted(path.resolve() for path in folder.iterdir())))
    target.write_bytes(join.submit(small).result())
    print(f"{len(small)} pictures, {small.states()['failed']} of them not readable")
