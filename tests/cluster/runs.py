"""Petite's workflow run by Snakemake, on this machine or on a cluster."""

import subprocess
import sys
from pathlib import Path

import yaml
from loopback import LoopbackSlurm, wait_until
from smallest import smallest

REPOSITORY = Path(__file__).resolve().parents[2]
PROFILE = REPOSITORY / "workflow/profiles/slurm"

TINY = smallest({"random": [0.1], "pca_grid": [0.1], "augmentation": [0.1]}, training_gpus=1)
# The last of the tables to be made.
TABLES = "results/tiny/recommendation.md"
# One of every rule. All figures would take as long as all trainings, and go the same way.
EVERY_RULE = [
    TABLES,
    "results/tiny/report.html",
    "results/tiny/provenance.json",
    "results/tiny/figures/picks.png",
]
# The name of a training in the comment of its Slurm job.
TRAINING = "rule_train_wildcards"


class Run:
    """Snakemake in a folder, locally or on a cluster."""

    def __init__(
        self,
        folder: Path,
        slurm: LoopbackSlurm | None,
        environment: dict[str, str] | None = None,
        python: str = sys.executable,
    ) -> None:
        """A run on Slurm, whose environment it is given, or without it in another."""
        self.folder, self.slurm, self.config = folder, slurm, TINY
        self._python = python
        self._environment = slurm.environment if slurm else environment

    @property
    def results(self) -> Path:
        return self.folder / "results/tiny"

    @property
    def said(self) -> str:
        """The output of Snakemake in this folder so far."""
        return (self.folder / "said.txt").read_text("utf-8")

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start Snakemake; what it says goes to `said`."""
        (self.folder / "overlay.yaml").write_text(yaml.safe_dump(self.config), "utf-8")
        command = [self._python, "-m", "snakemake", "--configfile", "overlay.yaml"]
        command += ["--snakefile", str(REPOSITORY / "Snakefile")]
        if self.slurm:
            # The profile waits for slow file systems and busy clusters, which this is not.
            command += ["--profile", str(PROFILE)]
            command += ["--slurm-init-seconds-before-status-checks", "3"]
        else:
            command += ["--cores", "2"]
        with (self.folder / "said.txt").open("ab") as said:
            return subprocess.Popen(
                [*command, *arguments],
                cwd=self.folder,
                env=self._environment,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def finish(self, *arguments: str) -> None:
        """Run Snakemake, which must succeed."""
        assert self.start(*arguments).wait() == 0, self.said

    def job(self, method: str) -> str:
        """The id of the Slurm job that runs a method's training, once it runs."""

        def found() -> list[str]:
            assert self.slurm
            running = self.slurm.jobs("RUNNING").items()
            # Two: of the first split, the wildcard before the method is empty.
            return [job for job, what in running if what.startswith(f"{TRAINING}__{method}_")]

        wait_until(found, f"a training of {method} to run", lambda: self.said, seconds=300)
        return found()[0]
