"""What jobs take, as measured: the numbers of a forecast that the run itself does not give.

Seconds are those of one core of the reference machine (AMD EPYC, Zen 5, two cores, Python 3.11,
compiled bytecode), with another job on the other core. STARTS are from the benchmark files and logs
of runs over silhouettes, weld images and photographs, corrected by the run of docs/clothing.md on
an idle machine. IMAGE (listing, index, split) and the pixels of FEATURES are from docs/scale.md,
DECODE_IMAGE, EMBED and its start from docs/speed.md, PROBE from 98 jobs over 11,494 photographs,
and PRODUCTS, STEP and BLOCK from timed steps of five networks.
The others of IMAGE and FEATURES, LINEAR_PROXY_IMAGE, FINE_TUNE and SLURM_JOB are rough values that
no measurement of their own supports. `benchmarks/forecast.py` compares the forecasts with runs.
"""

# Seconds of a job that reads tables, from its start to its end.
START = 0.8
# Seconds of a job before its first image, where they differ from START.
STARTS = {
    "listing": 0.45,
    "split": 0.4,
    "index": 0.5,
    "ingest": 0.6,
    "augment": 0.7,
    "rank": 0.5,
    "subset": 0.7,
    "candidates": 0.7,
    "features": 0.8,
    "probe": 2.3,
    "label_errors": 2.3,
    "near_duplicates": 0.9,
    "cues": 0.8,
    "look": 1.0,
    "summarize": 1.2,
    "provenance": 0.7,
    "figures": 1.3,
    "report": 3.2,
    "estimate": 25.0,
    "download": 3.0,
    "download_weights": 5.0,
}
# Of Python, TensorFlow and Keras, until a network can be built.
START_OF_KERAS = 3.2
# Of a job that embeds, until its first image.
START_OF_EMBEDDING = 5.7

# Seconds for each image of the data set.
IMAGE = {
    "listing": 2.2e-5,
    "index": 4e-5,
    "split": 7e-6,
    "cues": 1e-4,
    "label_errors": 7e-4,
    "near_duplicates": 1e-4,
    "report": 4e-4,
    "figures": 1e-5,
}
# Seconds for each image of the training set.
FEATURES = {"pixels": 1.3e-4, "random_conv": 4e-4, "backbone": 1e-4, "own": 2e-5}
# Decoding: seconds for each image, and for each of its bytes.
DECODE_IMAGE = 2.5e-4
DECODE_BYTE = 3e-8
# Encoding: seconds for each pixel of the encoded image.
ENCODE_PIXEL = {"webp": 1.7e-7, "avif": 7.5e-7, "jpeg": 5e-8}
# Bytes of a photograph as WebP: BYTES * side ** OF_SIDE * quality ** OF_QUALITY, from some hundred
# of them in 16 encodings, each within a third.
WEBP_BYTES, WEBP_OF_SIDE, WEBP_OF_QUALITY = 0.43, 1.4, 0.39
# Bytes of an original, where nothing is known of them.
ORIGINAL = 20_000

# EfficientNet-Lite0 at 224 pixels a side, one thread: seconds for each image.
EMBED = 6.7e-3
EMBED_SIDE = 224

# Images that are altered to find how similar copies are, and the ways: each copy is embedded.
ALTERED_IMAGES = 120
ALTERATIONS = 4

# The part of a selection that is not the method's own: reading and writing, for each seed.
SELECTION_SEED = 0.05
AUGMENT_IMAGE = 2e-5

# A probe: seconds for each seed, and for each image, feature, class and iteration.
PROBE_SEED = 0.03
PROBE_PRODUCT = 3.5e-10
PROBE_ITERATIONS = 65
PROBE_IMAGE = 1e-5
# A linear proxy: seconds for each training image.
LINEAR_PROXY_IMAGE = 1e-4

# Training from scratch, without timed steps: multiply-adds of convolutions per second, which a step
# computes forward once and backward twice; and seconds of each step, and of each value of a pixel
# in its batch. A prediction takes seconds for each block of images beside its multiply-adds.
PRODUCTS_PER_SECOND = 8e10
BACKWARD = 3.0
STEP = 3e-3
STEP_VALUE = 6e-9
BLOCK = 1.5e-3
COMPILE = 1.0
# For each seed: new weights; and saving the model, which is not timed.
SEED = 0.25
SAVE = 0.15
# Fine-tuning, relative to embedding an image of the same size.
FINE_TUNE_FORWARD = 1.7
FINE_TUNE_STEP = 6.3

# Selections: multiply-adds, processed elements and iterations of loops per second.
PRODUCTS, ELEMENTS, LOOPS = 1.0e11, 3.3e9, 1.35e6

# Snakemake itself: seconds for each job, and until the first one begins.
JOB = 0.15
PLANNING = 3.0
PLANNING_JOB = 2.5e-3
# A Slurm job: submitting it, its two Snakemake processes, and noticing its end.
SLURM_JOB = 45.0

# Bytes of files.
MODEL = 60_000
# A figure, in both formats: the means of seven runs are 120,000 to 360,000.
FIGURE = 200_000
# Figures in color show photographs: files next to their stored images, and a row of each class, by
# the side of its images in pixels (1.6 to 2.9 MB, and 2,800 to 3,900 a pixel, in four runs with 64
# pixels; 4.5 MB and 3,600 with 250 pixels).
STORED_PHOTOS = 2_500_000
SAMPLES_PIXEL = 3_500
SAMPLES_CLASSES = 20
REPORT = 3_000_000
ROW = 40
