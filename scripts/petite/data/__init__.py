"""From a source of images to the store and its split."""
