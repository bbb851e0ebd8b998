"""Measure how long Snakemake plans before the first job starts, in processor time.

Plans 26 methods at 10 fractions with 30 seeds, and the default run, without running anything. Dry
runs also print each job, which is not counted. Writes CSV: one row per run.

    python benchmarks/planning.py --output results/benchmarks/planning.csv
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import yaml

from petite.config.methods import AUGMENTATION
from petite.selection import METHODS
from petite.util.files import write_csv

REPOSITORY = Path(__file__).resolve().parents[1]
FRACTIONS = [0.5, 0.3, 0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.002, 0.001]
SEEDS = 30
WITHOUT = {
    "full",
    "score",
}  # the one is always judged, the other is a method only with a named score
# Snakemake, which says on its last line how long it took to read the rules and to plan.
TIMED = """
import json, sys, time
import snakemake.api
from snakemake.workflow import Workflow

build = Workflow._build_dag
times = {}

def timed_build(workflow):
    times["rules"] = time.process_time()
    build(workflow)
    times["plan"] = time.process_time() - times["rules"]
    times["jobs"] = len(list(workflow.dag.needrun_jobs()))

Workflow._build_dag = timed_build
from snakemake.cli import main
try:
    main(sys.argv[1:])
finally:
    print(json.dumps(times))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rows = []
    for name, config in configs().items():
        with tempfile.TemporaryDirectory() as folder:
            rounds = [planned(Path(folder), config) for _ in range(args.rounds)]
        best = min(rounds, key=lambda times: times["rules"] + times["plan"])
        seconds = best["rules"] + best["plan"]
        rows.append({"run": name, "jobs": best["jobs"], "cpu_seconds": round(seconds, 1)})
        print(rows[-1], file=sys.stderr)
    write_csv(args.output, pd.DataFrame(rows))


def configs() -> dict[str, dict]:
    """The settings of each run, by its name."""
    fractions = {"fractions": FRACTIONS}
    methods = {name: fractions for name in METHODS if name not in WITHOUT} | {
        AUGMENTATION: fractions
    }
    scratch = {"methods": methods, "seeds": SEEDS}
    probe = {
        "methods": methods | {AUGMENTATION: {"fractions": []}},
        "seeds": SEEDS,
        "judges": {"scratch": None, "probe": {}},
        "features": {"space": "backbone"},
        "proxy": {"of": "embeddings"},
    }
    return {"the default run": {}, "all methods, scratch": scratch, "all methods, probe": probe}


def planned(folder: Path, config: dict) -> dict[str, float]:
    """CPU seconds to read the rules and to plan, and the number of jobs."""
    settings = folder / "settings.yaml"
    settings.write_text(yaml.safe_dump(config), "utf-8")
    command = [sys.executable, "-c", TIMED, "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--directory", str(folder), "--cores", "2", "--dry-run", "--quiet", "all"]
    if config:
        command += ["--configfile", str(settings)]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(ran.stdout + ran.stderr)
    return json.loads(ran.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
