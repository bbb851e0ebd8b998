# Where this checkout is, and whether Petite runs by itself or as part of another workflow. No rules.
# As part of another workflow, it does not change that workflow's terminal, lock, PATH and configuration.

import os
import shlex
import sys
from pathlib import Path

# Not workflow.basedir: that is the folder of the outermost Snakefile.
CHECKOUT = Path(str(workflow.current_basedir)).parents[1]
# `included_stack` is the Snakefile and this file, and whatever reads the Snakefile before them.
IS_INCLUDED = len(workflow.included_stack) > 2 and workflow.modifier.is_main_snakefile()
IS_MODULE = not workflow.modifier.is_main_snakefile()
IS_MAIN = not (IS_INCLUDED or IS_MODULE)

if "{" in str(CHECKOUT) or "}" in str(CHECKOUT):
    sys.exit(
        f"Petite: the checkout's path, {CHECKOUT}, has braces in it, which Snakemake takes for "
        "places to fill in: rename the folder, or reach it by a symbolic link without them"
    )

if not (CHECKOUT / "scripts/petite").is_dir():
    sys.exit(
        f"Petite: {CHECKOUT} has no folder scripts/petite. Petite works from a checkout on this "
        "machine: clone it, and give the path of its Snakefile"
    )

# For the import alone: the other names in scripts/ may be those of the other workflow's modules.
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
    # The `python` of the rules is this interpreter, which need not be the first on PATH. A conda
    # environment puts its own before it.
    os.environ.update(
        PATH=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    )


def python(wildcards, input):
    """What the steps run with. Snakemake does not compare params that depend on the input."""
    has_environments = (
        workflow.deployment_settings and workflow.deployment_settings.deployment_method
    )
    return "python" if IS_MAIN or has_environments else shlex.quote(sys.executable)
