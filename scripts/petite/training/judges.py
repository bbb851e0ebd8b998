"""The judges: how the worth of a subset can be measured, each with its settings.

A judge gives each method, fraction and seed a row of metrics and its predictions on the test
images. Runs of several judges are never compared with each other.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from petite.training.settings import LoopSettings
from petite.util.validation import Fraction, SeedCount, Strict

SCRATCH, PROBE, FINE_TUNE = "scratch", "probe", "fine_tune"
SCRATCH_SOFT, PROBE_SOFT = "scratch_soft", "probe_soft"


class JudgeSettings(Strict):
    """What every judge has: its own number of seeds, and its own fractions."""

    seeds: SeedCount | None = Field(
        None, description="runs of each method and fraction; null: the top-level seeds"
    )
    fractions: list[Fraction] | None = Field(
        None, description="judge only these fractions of the methods; null: all"
    )


class ScratchSettings(JudgeSettings):
    """The network of `training`, trained from random weights."""


class ProbeSettings(JudgeSettings):
    """A linear classifier on the embeddings of the backbone."""

    pool_share: float = Field(
        0.9,
        gt=0,
        lt=1,
        description="share of the training images that each seed draws, and selects from",
    )
    penalties: list[Annotated[float, Field(gt=0)]] = Field(
        [1000.0, 100.0, 10.0, 1.0, 0.1, 0.01],
        min_length=1,
        description="strengths of the L2 penalty, of which the validation images choose one",
    )


# Seeds of runs are below 1,000, so that no subset is judged by a network that begins at the weights
# of a network of its teacher.
FIRST_TEACHER = 1_000_000


class SoftScratchSettings(ScratchSettings):
    """The network of `training`, trained on the soft labels of a teacher, which is the same network
    trained on all training images."""

    teachers: int = Field(
        3,
        ge=1,
        le=100,
        description="networks of the teacher, whose probabilities are averaged; each costs one "
        "training on all images",
    )
    temperature: float = Field(
        1.0,
        gt=0,
        le=100,
        description="divides the logits of the teacher, and in the loss those of the network that "
        "learns from it",
    )
    views: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="augmented views of each image that have a soft label of their own and are "
        "trained on in turn; null: one label for each image",
    )

    @property
    def teacher_seeds(self) -> list[int]:
        """The seeds of the networks of the teacher. More of them begin with those of fewer."""
        return list(range(FIRST_TEACHER, FIRST_TEACHER + self.teachers))


class SoftProbeSettings(ProbeSettings):
    """The probe on soft labels of a teacher, which is the probe of all training images."""


class FineTuneSettings(JudgeSettings, LoopSettings):
    """The network of `backbone`, trained on; the defaults suit a few hundred photographs."""

    image_size: int = Field(
        128,
        ge=32,
        le=1024,
        description="side of the images that the network is given, in pixels; those of the store "
        "are resized",
    )
    head_steps: int = Field(
        50,
        ge=0,
        le=10**9,
        description="training steps of the new last layer, before those of the whole network",
    )
    steps: int = Field(
        150, ge=1, le=10**9, description="training steps of the whole network, after head_steps"
    )
    head_learning_rate: float = Field(0.01, gt=0, description="maximum learning rate in head_steps")
    learning_rate: float = Field(0.0003, gt=0, description="maximum learning rate in steps")
    weight_decay: float = Field(
        0.01, ge=0, description="decoupled weight decay of convolution and dense kernels"
    )
    precision: Literal["float32", "bfloat16", "auto"] = Field(
        "float32",
        description="as in `training`; on a CPU bfloat16 halves the speed of efficientnet_lite0",
    )
    evaluations: int = Field(
        5, ge=1, description="number of points on the learning curves of a run"
    )
    optimizer: ClassVar[str] = "adamw"

    @property
    def budget(self) -> str:
        """The training length in words."""
        return f"{self.head_steps} + {self.steps} steps"


@dataclass(frozen=True)
class Judge:
    """What the workflow needs to know of a judge.

    Attributes
    ----------
    name : str
        Its name in the config and in the tables.
    words : str
        How sentences name its models: "trained from scratch".
    rule : str
        The rule and the script of its jobs.
    selects : bool
        Whether its jobs select their images themselves, from another part of the training images
        for each seed. Otherwise they read the files of the subsets.
    has_models : bool
        Whether it trains networks, which are kept with their learning curves.
    takes_recipes : bool
        Whether it judges augmented images.
    takes_encodings : bool
        Whether it judges encoded images.
    reads_embeddings : bool
        Whether it judges embeddings of the backbone, of original and encoded images.
    has_soft_labels : bool
        Whether it trains on the soft labels of a teacher.
    sees_fewer : bool
        Whether its trainings can see a part of the images in each pass; see
        `petite.training.seeing`.
    """

    name: str
    words: str
    rule: str
    selects: bool = False
    has_models: bool = True
    takes_recipes: bool = True
    takes_encodings: bool = True
    reads_embeddings: bool = False
    has_soft_labels: bool = False
    sees_fewer: bool = True


# In the order of tables and pages.
JUDGES = {
    judge.name: judge
    for judge in (
        Judge(
            PROBE,
            "by a linear probe",
            rule="probe",
            selects=True,
            has_models=False,
            takes_recipes=False,
            reads_embeddings=True,
            sees_fewer=False,
        ),
        Judge(FINE_TUNE, "fine-tuned", rule="fine_tune"),
        Judge(SCRATCH, "trained from scratch", rule="train"),
        # Last, because their answer is for those who store soft labels too.
        Judge(
            PROBE_SOFT,
            "by a linear probe on soft labels",
            rule="probe_soft",
            selects=True,
            has_models=False,
            takes_recipes=False,
            reads_embeddings=True,
            has_soft_labels=True,
            sees_fewer=False,
        ),
        Judge(
            SCRATCH_SOFT,
            "trained from scratch on soft labels",
            rule="train_soft",
            has_soft_labels=True,
        ),
    )
}


# The rule and the script of all judges that are programs of the user's.
PROGRAM = "judge_program"


def judge_named(name: str) -> Judge:
    """A judge by its name: any that is not one of `JUDGES` is a program of the user's."""
    if name in JUDGES:
        return JUDGES[name]
    words = f"by your program {name}"
    return Judge(
        name, words, rule=PROGRAM, has_models=False, takes_encodings=False, sees_fewer=False
    )


def in_words(judge: str) -> str:
    """How sentences name the models of a judge: "trained from scratch"."""
    return judge_named(judge).words


def words_of(judge: str) -> str:
    """The same as a heading: "Trained from scratch"."""
    words = in_words(judge)
    return words[0].upper() + words[1:]
