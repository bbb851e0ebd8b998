# How small can your image training set get, which images should you keep, and how sure can you be?
#
#   snakemake --cores all                                    the default run
#   snakemake --cores all --configfile workflow/config/X.yaml    another run
#   snakemake --cores all --config folder=PATH               your own images
#   snakemake --cores all export --config export=random:0.1  export a subset
#   snakemake --cores all label_next --config pool=PATH images=500    images without labels: which to label
#   snakemake --cores all grow --config folder=PATH new=NEW kept=random:0.1    which new images to add
#   snakemake --cores 1 config                               print the settings and where each comes from
#   snakemake --cores 1 goals                                print what to write for each of many goals

from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/place.smk"


if IS_MAIN:

    include: "workflow/rules/progress.smk"
    include: "workflow/rules/stop.smk"

    configfile: f"{CHECKOUT}/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/embed.smk"
include: "workflow/rules/encode.smk"
include: "workflow/rules/config.smk"
include: "workflow/rules/select.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/checks.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/second.smk"
include: "workflow/rules/pool.smk"
include: "workflow/rules/grow.smk"


# The default target: the first rule outside of included files. A workflow that includes this one has
# its own `all`.
rule:
    name:
        "petite" if IS_INCLUDED else "all"
    input:
        (
            [
                list(rules.summarize.output),
                f"{RESULTS}/provenance.json",
                FIGURES,
                f"{RESULTS}/report.html",
            ]
            if POOL.labeled
            else rules.label_next.input
        ),
        kept_files if POOL.labeled else [],


if IS_MAIN:

    include: "workflow/rules/lock.smk"
    include: "workflow/rules/partial.smk"
    include: "workflow/rules/scheduler.smk"
    include: "workflow/rules/forecast.smk"

    report: "workflow/report/workflow.rst"

    onstart:
        drop_default_rate_limit()
        stop_on_signals()
        name_run_to_steps()
        check_targets()
        record_pool()
        record_new()
        say_settings()
        say_forecast()

    onsuccess:
        remember_what_jobs_took()
        say_where_things_are()

    onerror:
        PROGRESS.end()
        remember_what_jobs_took()
        make_tables_of_what_is_done()
        say_what_failed(log)
