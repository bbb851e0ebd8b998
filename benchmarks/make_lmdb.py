"""Make LMDB databases like LSUN's, cat/ and dog/, of any number of images, from photos.

    python benchmarks/make_lmdb.py --archive petimages-15k.zip --output /tmp/scale --images 100000

Each photo is repeated with a random crop, brightness and flip, so that no two values are the same,
and stored as WebP with a shorter side of 256 pixels. A key is the SHA-1 of its value, so that keys
have no order, as in a database that grew over time.
"""

import argparse
import hashlib
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import lmdb
import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from petite.data.sources import listing, open_source

SHORTER_SIDE = 256
QUALITY = 95
MAP_SIZE = 1 << 40  # room for a terabyte; the file grows as it is filled
WRITTEN_AT_ONCE = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--archive", type=Path, required=True, help="photos, such as petimages-15k.zip"
    )
    parser.add_argument("--output", type=Path, required=True, help="the folder for cat/ and dog/")
    parser.add_argument(
        "--images", type=int, default=100_000, help="images of both classes together"
    )
    args = parser.parse_args()
    photos = readable_photos(args.archive)
    for class_name in photos:
        make(args.output / class_name.lower(), photos[class_name], args.images // len(photos))


def readable_photos(archive: Path) -> dict[str, list[Image.Image]]:
    """The photos of each class, decoded."""
    found: dict[str, list[Image.Image]] = {}
    with open_source("archive", archive) as source:
        entries = listing(source, None, None, 0.1)
        class_of = dict(zip(entries["image_id"], entries["class_name"], strict=True))
        for image_id, data in source.read_many(class_of):
            try:
                photo = Image.open(io.BytesIO(data), formats=("JPEG",))
                found.setdefault(class_of[image_id], []).append(photo.convert("RGB"))
            except (OSError, TypeError):
                continue  # files that do not decode
    return found


def make(folder: Path, photos: list[Image.Image], count: int) -> None:
    """Write one class's database."""
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=MAP_SIZE, sync=False) as environment:
        values = changed(photos, count)
        for _ in range(0, count, WRITTEN_AT_ONCE):
            with environment.begin(write=True) as transaction:
                for value in islice(values, WRITTEN_AT_ONCE):
                    transaction.put(hashlib.sha1(value).hexdigest().encode(), value)
        environment.sync(True)
        print(f"{folder}: {environment.stat()['entries']:,} images")


def changed(photos: list[Image.Image], count: int) -> Iterator[bytes]:
    """Yield `count` WebP files; each pass over the photos changes them differently."""
    random = np.random.default_rng(0)
    for number in range(count):
        photo = photos[number % len(photos)]
        kept = random.uniform(0.85, 1)
        left, top = random.uniform(0, 1 - kept, 2) * photo.size
        box = (left, top, left + kept * photo.width, top + kept * photo.height)
        scale = SHORTER_SIDE / min(photo.size)
        size = tuple(max(SHORTER_SIDE, round(side * scale)) for side in photo.size)
        image = photo.resize(size, Image.Resampling.BICUBIC, box)
        image = ImageEnhance.Brightness(image).enhance(random.uniform(0.8, 1.2))
        if random.random() < 0.5:
            image = ImageOps.mirror(image)
        file = io.BytesIO()
        image.save(file, "WEBP", quality=QUALITY, method=0)
        yield file.getvalue()


if __name__ == "__main__":
    main()
