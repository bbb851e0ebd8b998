"""Files next to saved models that explain their use without Petite."""

from collections.abc import Sequence
from pathlib import Path

from petite.util.files import write_json, write_text

CLASSES_FILE = "classes.json"
PAGE = """# Models of {about}

One Keras model for each training seed. It takes raw images of shape (n, {shape}), uint8 or float,
with values from 0 to 255, and scales them itself. It gives probabilities, float32 of shape
(n, {classes}), in the order of the names in `{file}`.

```python
import json
from pathlib import Path
import keras
import numpy as np
from PIL import Image

names = json.loads(Path("{file}").read_text(encoding="utf-8"))
model = keras.models.load_model("{model}")
photo = Image.open("photo.jpg").convert("{mode}")
pixels = np.asarray(photo.resize(({size}, {size}), Image.Resampling.BILINEAR))
probabilities = model.predict(pixels.reshape(1, {shape}))[0]
print(names[probabilities.argmax()], probabilities.max())
```

Images are resized to a square. `petite.data.decoding.decode.decode` does this as in training.
"""
JUDGED_WITH_FLIPS = """
The accuracies in Petite's tables use the mean logits of each image and its mirror image.
"""


def write_beside(
    models: Sequence[Path],
    about: str,
    classes: list[str],
    image_shape: tuple[int, int, int],
    flips: bool,
) -> None:
    """Write the class names and a README into the folder of the models.

    Parameters
    ----------
    models : sequence of Path
        Files of one folder.
    about : str
        What the runs are, in words.
    classes : list of str
        Names of the classes, in the order of the model's output.
    image_shape : tuple of int
        Height, width, channels.
    flips : bool
        Whether the runs were evaluated with mirrored images too.
    """
    folder = models[0].parent
    write_json(folder / CLASSES_FILE, classes)
    text = PAGE.format(
        about=about,
        classes=len(classes),
        file=CLASSES_FILE,
        model=models[0].name,
        shape=", ".join(map(str, image_shape)),
        size=image_shape[0],
        mode="L" if image_shape[2] == 1 else "RGB",
    )
    write_text(folder / "README.md", text + (JUDGED_WITH_FLIPS if flips else ""))
