"""Measure how many bytes each codec needs for how much error, for small training images.

    python benchmarks/codecs.py --archive petimages-15k.zip --output benchmarks/results/codecs.csv

The bytes and pixels are those of `petite.data.encode`. The error is the signal-to-noise ratio
against the same photo before it was encoded. JPEG XL, which Petite does not offer, is measured too
if the package pillow-jxl-plugin is there.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from petite.data.decoding.decode import SetAside, decode
from petite.data.encode import OPTIONS, encode
from petite.data.sources import listing, open_source

SIDES = (64, 96, 128)
QUALITIES = (1, 5, 10, 20, 40, 60, 80)
JPEG_XL = "jpegxl"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--archive", type=Path, required=True, help="photos, as a zip")
    parser.add_argument("--output", type=Path, help="a CSV file for the table")
    parser.add_argument("--photos", type=int, default=200, help="evenly over the archive")
    args = parser.parse_args()
    codecs: dict[str, Callable[..., bytes]] = {
        codec: partial(encode, codec=codec) for codec in OPTIONS
    }
    with suppress(ImportError):
        import pillow_jxl  # noqa: F401  # registers the format

        codecs[JPEG_XL] = encode_jpeg_xl
    originals = photos(args.archive, args.photos)
    rows = [
        {"side": side, "codec": codec, "quality": quality, **measured(images, encoder, quality)}
        for side in SIDES
        for images in [squares(originals, side)]
        for codec, encoder in codecs.items()
        for quality in QUALITIES
    ]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    print()
    print(at_equal_bytes(table).to_string())
    if args.output:
        table.to_csv(args.output, index=False)


def photos(archive: Path, count: int) -> list[bytes]:
    """The files of some photos, evenly over an archive."""
    with open_source("archive", archive) as source:
        ids = listing(source, classes=None, limit_per_class=None, max_bad_share=0.1)[
            "image_id"
        ].tolist()
        some = [ids[place] for place in np.linspace(0, len(ids) - 1, count).round().astype(int)]
        return [data for _, data in source.read_many(some) if isinstance(data, bytes)]


def squares(files: list[bytes], side: int) -> list[NDArray[np.uint8]]:
    """The photos as they are encoded, without those that cannot be read."""
    found = []
    for data in files:
        with suppress(SetAside):
            found.append(decode(data, side, 3, resampling="bicubic").pixels)
    return found


def encode_jpeg_xl(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Encode one image with the most effort; on one thread, as the other codecs."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JXL", quality=quality, effort=9, num_threads=1)
    return file.getvalue()


def measured(
    images: list[NDArray[np.uint8]], encoder: Callable[..., bytes], quality: int
) -> dict[str, float]:
    """The mean bytes, the error and the processor time of an encoding."""
    began = time.process_time()
    files = [encoder(pixels, quality=quality) for pixels in images]
    seconds = time.process_time() - began
    errors = [
        np.square(np.asarray(Image.open(BytesIO(file)).convert("RGB"), float) - pixels).mean()
        for file, pixels in zip(files, images, strict=True)
    ]
    return {
        "images": len(images),
        "bytes": round(float(np.mean([len(file) for file in files])), 1),
        "psnr": round(10 * float(np.log10(255**2 / np.mean(errors))), 2),
        "encode_ms": round(1e3 * seconds / len(images), 3),
    }


def at_equal_bytes(table: pd.DataFrame) -> pd.DataFrame:
    """The ratio of each codec at the bytes of each WebP, on a line between its two qualities."""
    columns = {}
    for (side, codec), own in table.groupby(["side", "codec"], sort=False):
        webp = table[(table["side"] == side) & (table["codec"] == "webp")]
        line = np.interp(
            np.log(webp["bytes"]), np.log(own["bytes"]), own["psnr"], left=np.nan, right=np.nan
        )
        columns[side, codec] = pd.Series(line.round(2), index=webp["quality"])
    return pd.DataFrame(columns)


if __name__ == "__main__":
    main()
