# Where this checkout is, and whether Petite runs by itself or as part of another workflow. No rules.
# Needs: nothing. Makes: nothing; the terminal, lock, PATH and configuration of another workflow stay as they
# are.

import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from snakemake.settings.types import ExecMode
from snakemake.sourcecache import HostingProviderFile


def downloaded_checkout(hosted):
    """The checkout of a workflow that names Petite by github(...) or gitlab(...).

    Snakemake then reads single files from its clone; the steps need a folder. Its path is the same for all
    versions, so that another version reruns only what it changes.
    """
    folder = Path(".snakemake/petite-checkout").absolute()
    if workflow.exec_mode != ExecMode.DEFAULT:  # a job of a run that made it
        return folder
    from git import Repo

    repository = hosted.hosted_repo.repo
    commit = repository.commit(hosted.ref)
    if folder.is_dir() and Repo(folder).head.commit == commit:
        return folder
    if "petite" in sys.modules:
        sys.exit(
            f"Petite: {hosted} is not the version that this workflow already uses. Use one version of "
            "Petite for all modules of a workflow"
        )
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as new:
        clone = repository.clone(f"{new}/petite", no_checkout=True)
        clone.git.checkout(commit.hexsha, detach=True)
        shutil.rmtree(folder, ignore_errors=True)
        Path(new, "petite").rename(folder)
    return folder


# Not workflow.basedir: that is the folder of the outermost Snakefile.
if isinstance(workflow.current_basedir, HostingProviderFile):
    CHECKOUT = downloaded_checkout(workflow.current_basedir)
else:
    CHECKOUT = Path(str(workflow.current_basedir)).parents[1]
# The outermost Snakefile is Petite's own, the one at the top or the one that it includes, or another workflow's.
IS_OWN = Path(os.path.abspath(str(workflow.included_stack[0]))) in (
    CHECKOUT / "Snakefile",
    CHECKOUT / "workflow/Snakefile",
)
IS_INCLUDED = not IS_OWN and workflow.modifier.is_main_snakefile()
IS_MODULE = not workflow.modifier.is_main_snakefile()
IS_MAIN = not (IS_INCLUDED or IS_MODULE)
# Not one of the Snakemakes that run a job of it.
IS_RUN = IS_MAIN and workflow.exec_mode == ExecMode.DEFAULT

if "{" in str(CHECKOUT) or "}" in str(CHECKOUT):
    sys.exit(
        f"Petite: the path of the checkout, {CHECKOUT}, contains braces, which Snakemake reads as "
        "wildcards. Rename the folder, or use a symbolic link without braces"
    )

if not (CHECKOUT / "scripts/petite").is_dir():
    sys.exit(
        f"Petite: {CHECKOUT} has no folder scripts/petite. Petite needs a checkout on this machine: "
        "clone it, and use the path of its Snakefile"
    )

if sys.getfilesystemencoding() != "utf-8":
    sys.exit(
        f"Petite: Python reads file names as {sys.getfilesystemencoding()} here, so that letters beyond ASCII "
        "are lost. Run `export PYTHONUTF8=1`, or use a locale of UTF-8 (LC_ALL=C.UTF-8)"
    )

try:
    import pyarrow
except ImportError as error:
    sys.exit(
        f"Petite: the Python that runs Snakemake, {sys.executable}, lacks packages of Petite ({error}). "
        f"Install those in {CHECKOUT}/envs/requirements.txt, or create the conda environment in "
        f"{CHECKOUT}/envs/petite.yaml"
    )

# Only for the import: other modules in scripts/ may have names of the other workflow's modules.
sys.path.insert(0, str(CHECKOUT / "scripts"))
import petite

if IS_MAIN:
    import petite_logger_plugin

sys.path.remove(str(CHECKOUT / "scripts"))

if Path(petite.__file__).resolve().parent != (CHECKOUT / "scripts/petite").resolve():
    sys.exit(
        f"Petite: this workflow already uses {Path(petite.__file__).parent}, not {CHECKOUT}. Use "
        "one checkout of Petite for all modules of a workflow"
    )

if IS_MAIN:
    from petite.util import environment

    environment.hold_for_steps(os.environ)
    # The `python` of the rules is this interpreter, which may not be the first on PATH. A conda
    # environment puts its own interpreter first.
    os.environ.update(
        PATH=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    )


def python(wildcards, input):
    """The interpreter of the steps. Snakemake does not compare params that depend on the input."""
    has_environments = (
        workflow.deployment_settings and workflow.deployment_settings.deployment_method
    )
    return "python" if IS_MAIN or has_environments else shlex.quote(sys.executable)
