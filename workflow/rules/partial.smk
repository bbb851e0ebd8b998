# If some methods failed: makes the tables, the recommendation and the report of the others. No rules.
# Needs: runs/ of at least one method. Makes: the results of evaluate.smk and report.smk, which list what is
# missing.

import subprocess
from dataclasses import asdict

from petite.evaluation.recommendation import Gap
from petite.util.files import write_json


def unfinished_trainings():
    """The training jobs that were not done, each with the failed jobs that it depends on."""
    failed = PROGRESS.failed
    judging = {judge.rule for judge in PLAN.judges}
    for job in workflow.dag.needrun_jobs():
        if job.rule.name in judging:
            # Of any split: the tables of the first one are made in any case.
            before = workflow.dag.bfs(workflow.dag.dependencies, job)
            causes = [failed[other.jobid] for other in before if other.jobid in failed]
            yield job, causes


def judge_of(job):
    """The judge of a job: in the path of its files, or that of its rule."""
    named = job.wildcards.get("judge")
    return named or next(
        judge.name for judge in PLAN.judges if judge.rule == job.rule.name
    )


def gaps_of(unfinished):
    """The cases, or seeds of a case, that the tables lack."""
    found = []
    for judge, cases in CASES_OF.items():
        for label, fraction in cases:
            missing = [
                (job, causes)
                for job, causes in unfinished
                if (judge_of(job), job.wildcards.method, job.wildcards.fraction)
                == (judge, label, as_text(fraction))
                and not job.wildcards.repeat
            ]
            seeds = sum(
                int(job.wildcards.last) - int(job.wildcards.first) + 1
                for job, _ in missing
            )
            names = dict.fromkeys(
                cause.name for _, causes in missing for cause in causes
            )
            if missing:
                last = max(int(job.wildcards.last) for job, _ in missing)
                wanted = (
                    next(look for look in LOOK_SEEDS if look > last)
                    if judge in LOOKS
                    else CONFIG.runs_at(fraction, judge)
                )
                gap = Gap(label, fraction, wanted - seeds, wanted, tuple(names), judge)
                found.append(gap)
    return found


def make_tables_of_what_is_done():
    """Run the workflow again for the finished methods, up to the report.

    Snakemake records the inputs of these files, so a later run with more methods updates them.
    """
    if PARTIAL or PROGRESS.stopped or not ("all" in PROGRESS.due and PROGRESS.failed):
        return
    unfinished = list(unfinished_trainings())
    gaps = gaps_of(unfinished)
    judged = sum(map(len, CASES_OF.values()))
    if not unfinished or all(gap.done == 0 for gap in gaps) and len(gaps) == judged:
        return
    record = RUNS / f"partial-{os.getpid()}.json"
    plan = {
        "config": CONFIG.model_dump(mode="json"),
        "unfinished": [str(job.output.runs) for job, _ in unfinished],
        "gaps": [asdict(gap) for gap in gaps],
        "cuts": CUTS,
    }
    try:
        write_json(record, plan)
        subprocess.run(
            [
                sys.executable,
                "-m",
                "snakemake",
                "--cores",
                str(workflow.resource_settings.cores or 1),
            ]
            + ["--snakefile", workflow.main_snakefile, "--nolock", "--keep-going"],
            env={**os.environ, PARTIAL_VARIABLE: str(record)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    finally:
        record.unlink(missing_ok=True)
    summary = Path(RESULTS) / "summary.txt"
    if summary.exists():
        print(f"\n{summary.read_text('utf-8').rstrip()}\n", flush=True)
        print(f"Report   {RESULTS}/report.html  (of the finished methods)", flush=True)
