# Where this checkout is, and whether Petite runs by itself or as part of another workflow. No rules.
# Needs: nothing. Makes: nothing; the terminal, lock, PATH and configuration of another workflow stay as they
# are.

import os
import shlex
import sys
from pathlib import Path

from snakemake.settings.types import ExecMode

# Not workflow.basedir: that is the folder of the outermost Snakefile.
CHECKOUT = Path(str(workflow.current_basedir)).parents[1]
# `included_stack` has the Snakefile, this file, and before them the files that include the Snakefile.
IS_INCLUDED = len(workflow.included_stack) > 2 and workflow.modifier.is_main_snakefile()
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
