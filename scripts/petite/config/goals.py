"""From a goal to what to write: the table of docs/goals.md and of `snakemake goals`."""

from collections.abc import Sequence
from typing import NamedTuple

COMMAND = "snakemake "


class Goal(NamedTuple):
    """One row.

    Attributes
    ----------
    want : str
        What follows "I want to".
    use : str
        Settings in one line of YAML, or a command that begins with "snakemake".
    read : str
        Where it is explained: a page of docs/, with the heading where it has one.
    """

    want: str
    use: str
    read: str

    @property
    def is_command(self) -> bool:
        """Whether `use` is a command, not settings for a file."""
        return self.use.startswith(COMMAND)


GOALS = (
    Goal(
        "know how small my set can get",
        "snakemake --cores all --config folder=PATH",
        "your-images.md#the-first-run",
    ),
    Goal(
        "do the same with a zip or tar, or with its URL",
        "snakemake --cores all --config archive=PATH_OR_URL",
        "your-images.md#the-first-run",
    ),
    Goal(
        "take the labels from a table",
        "snakemake --cores all --config folder=PATH labels=labels.csv",
        "labels.md",
    ),
    Goal(
        "read Parquet files with images, as the Hugging Face hub serves them",
        "snakemake --cores all --config parquet=PATH",
        "your-images.md#data-sets-that-are-not-folders",
    ),
    Goal(
        "read a data set that `save_to_disk` of `datasets` wrote",
        "snakemake --cores all --config huggingface=PATH",
        "your-images.md#data-sets-that-are-not-folders",
    ),
    Goal(
        "read a folder in an object store (needs the package `s3fs`)",
        "snakemake --cores all --config folder=s3://BUCKET/PATH",
        "your-images.md#data-sets-that-are-not-folders",
    ),
    Goal(
        "choose which images to label, when none has a label",
        "snakemake --cores all label_next --config pool=PATH images=100",
        "label-next.md",
    ),
    Goal(
        "choose which images to label next, beside labeled ones",
        "snakemake --cores all label_next --config folder=PATH pool=UNLABELED_PATH images=100",
        "label-next.md",
    ),
    Goal(
        "know which new labeled images to add to a subset, and what that gains",
        "snakemake --cores all grow --config folder=PATH new=NEW_PATH kept=random:0.1",
        "grow.md",
    ),
    Goal(
        "see all settings and where each comes from",
        "snakemake --cores 1 config --config folder=PATH",
        "your-images.md#the-first-run",
    ),
    Goal(
        "get a first answer soon: 200 images of each class",
        "dataset: {limit_per_class: 200}",
        "your-images.md#the-first-run",
    ),
    Goal(
        "test on my own test set (folders train and test)",
        "split: {given: use, leaks: drop_from_train}",
        "your-images.md#a-split-of-your-own",
    ),
    Goal(
        "keep the images of a patient or a video on one side of the split",
        "split: {groups: subfolder}",
        "your-images.md#6-images-that-belong-together",
    ),
    Goal(
        "stop if images of my own test set are in my training set",
        "split: {leaks: error}",
        "your-images.md#a-split-of-your-own",
    ),
    Goal(
        "draw another split than the one that comes with my images",
        "split: {given: ignore, test: 0.1}",
        "your-images.md#a-split-of-your-own",
    ),
    Goal(
        "choose evenly from all patients, however many images each has",
        "{split: {groups: subfolder}, methods: {random_by_patient: {method: random, quota: group, "
        "fractions: [0.1]}}}",
        "your-images.md#6-images-that-belong-together",
    ),
    Goal(
        "keep copies and crops of a photo on one side of the split (12.jpg, 12_flip.jpg)",
        "split: {groups: copies}",
        "your-images.md#6-images-that-belong-together",
    ),
    Goal(
        "keep bursts of a camera on one side of the split",
        "split: {groups: capture_time}",
        "your-images.md#6-images-that-belong-together",
    ),
    Goal(
        "keep near duplicates on one side of the split (photographs: 8 is set)",
        "dataset: {near_copy_distance: 8}",
        "your-images.md#8-duplicates-and-near-duplicates",
    ),
    Goal(
        "list labels that are likely wrong",
        "snakemake --cores all label_errors --config folder=PATH",
        "label-checks.md#likely-label-errors",
    ),
    Goal(
        "list test images that nearly repeat a training image",
        "snakemake --cores all near_duplicates --config folder=PATH",
        "label-checks.md#near-duplicates-across-the-parts",
    ),
    Goal(
        "see whether file size, brightness or camera gives the class away",
        "snakemake --cores all cues --config folder=PATH",
        "label-checks.md#cues-beside-the-content",
    ),
    Goal(
        "drop near duplicates, then sample at random",
        "methods: {semdedup: {drop: 0.2, fractions: [0.5, 0.1]}}",
        "methods.md",
    ),
    Goal(
        "give some images more weight in training",
        "labels: {path: labels.csv, weight: COLUMN}",
        "labels.md#other-columns",
    ),
    Goal(
        "have certain images in every subset, and others in none",
        "{keep: ['cat/best_*.jpg'], exclude: [cat/blurred.jpg]}",
        "your-images.md#images-to-keep-and-images-to-leave-out",
    ),
    Goal(
        "leave out classes of fewer than 10 images",
        "dataset: {min_per_class: 10}",
        "your-images.md#7-small-and-unequal-classes",
    ),
    Goal(
        "count all classes equally, however small",
        "evidence: {metric: balanced_accuracy}",
        "your-images.md#7-small-and-unequal-classes",
    ),
    Goal(
        "judge by a network that is trained from scratch",
        "{judges: scratch, seeds: 7}",
        "judges.md",
    ),
    Goal(
        "judge by fine-tuning a pretrained network",
        "{judges: fine_tune, seeds: 7, dataset: {image_size: 128}}",
        "judges.md#fine-tuning",
    ),
    Goal(
        "learn from soft labels of a teacher, in a table of its own",
        "{judges: [scratch, scratch_soft], seeds: 7}",
        "judges.md#soft-labels",
    ),
    Goal(
        "judge by my own training program",
        "{judges: {mine: {command: 'python train.py --train {train} --validation {validation} "
        "--test {test} --seed {seed} --out {predictions}'}}, seeds: 7}",
        "judges.md",
    ),
    Goal(
        "use embeddings of my own that are in a file",
        "features: {space: own, path: embeddings.parquet}",
        "embeddings.md#embeddings-in-a-file",
    ),
    Goal(
        "use a network of timm or Hugging Face, such as DINOv2 or CLIP",
        "backbone: {command: 'python embed.py --images {images} --out {embeddings}'}",
        "embeddings.md",
    ),
    Goal(
        "see details: give the pretrained network larger images",
        "backbone: {image_size: 448}",
        "your-images.md#5-the-details-are-gone",
    ),
    Goal(
        "compare more methods",
        "methods: {herding: {fractions: [0.1]}, k_center_greedy: {fractions: [0.1]}}",
        "methods.md",
    ),
    Goal(
        "compare two settings of a method",
        "methods: {grid_of_9: {method: pca_grid, cells: 3, fractions: [0.1]}}",
        "methods.md",
    ),
    Goal(
        "compare augmentation with more real images",
        "{judges: scratch, seeds: 7, methods: {augmentation: {fractions: [0.1]}}}",
        "methods.md",
    ),
    Goal(
        "keep all images, and train for less time",
        "{judges: scratch, seeds: 7, "
        "methods: {rs2: {fractions: [1]}, infobatch: {fractions: [1]}}}",
        "methods.md#keep-all-see-fewer",
    ),
    Goal(
        "give each comparison only the seeds that it needs",
        "seeds: {looks: [7, 10, 15, 30]}",
        "evidence.md#seeds-until-decided",
    ),
    Goal(
        "be surer: more seeds at one fraction (photographs have 30)",
        "{seeds: 30, seeds_by_fraction: {0.1: 60}}",
        "evidence.md",
    ),
    Goal(
        "get the answer that a given time allows",
        "budget: 30 min",
        "forecast.md#a-budget-of-time",
    ),
    Goal(
        "know the time, memory and disk space of a run beforehand",
        "snakemake --cores all estimate --config folder=PATH",
        "forecast.md",
    ),
    Goal(
        "see results while a run works",
        "snakemake --cores 1 watch --config folder=PATH",
        "watch.md",
    ),
    Goal(
        "store fewer bytes",
        "bytes: 2%",
        "bytes.md#search-within-a-budget",
    ),
    Goal(
        "compare encodings",
        "encodings: [original, {side: 64, codec: webp, quality: 40}]",
        "bytes.md",
    ),
    Goal(
        "check the answer on several splits",
        "{seeds: 7, split: {repeats: 5}}",
        "evidence.md#several-splits",
    ),
    Goal(
        "limit the memory of selection and training",
        "max_memory: 4 GB",
        "scale.md",
    ),
    Goal(
        "export the recommended images, also for Keras and PyTorch",
        "snakemake --cores all export --config folder=PATH 'export_formats=[folder,npz,parquet]'",
        "export.md",
    ),
    Goal(
        "export another subset: METHOD:FRACTION",
        "snakemake --cores all export --config folder=PATH export=random:0.1",
        "export.md",
    ),
    Goal(
        "run on a cluster",
        "snakemake --profile workflow/profiles/slurm --config folder=PATH",
        "cluster.md",
    ),
)


def as_markdown(goals: Sequence[Goal] = GOALS) -> str:
    """Write the table for docs/goals.md."""
    rows = [
        f"| {goal.want} | `{goal.use}` | [{_page(goal.read)}]({goal.read}) |\n" for goal in goals
    ]
    return "".join(["| I want to ... | write | read |\n|---|---|---|\n", *rows])


def as_text(goals: Sequence[Goal] = GOALS) -> str:
    """Write the goals for a terminal, with the settings in the line below each."""
    blocks = [f"{goal.want}\n    {goal.use}\n    {_place(goal.read)}" for goal in goals]
    return "\n".join(["I want to ...", *blocks])


def _page(link: str) -> str:
    return link.split("#")[0].removeprefix("../")


def _place(link: str) -> str:
    """The path of a page from the top of the repository."""
    page = _page(link)
    return page if link.startswith("../") else f"docs/{page}"
