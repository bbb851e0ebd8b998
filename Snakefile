# How small can an image training set get, which images to keep, and how sure can one be?
#
#   snakemake --cores all                                    the default run
#   snakemake --cores all --configfile workflow/config/X.yaml    another one
#   snakemake --cores all --config folder=PATH               one's own images
#   snakemake --cores all export --config export=random:0.1  take a subset away

from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/console.smk"
include: "workflow/rules/stop.smk"


configfile: f"{workflow.basedir}/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/lock.smk"
include: "workflow/rules/scheduler.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/select.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/page.smk"
include: "workflow/rules/export.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        f"{RESULTS}/summary.md",
        f"{RESULTS}/runs.csv",
        f"{RESULTS}/provenance.json",
        FIGURES,
        f"{RESULTS}/report.html",


onstart:
    drop_default_rate_limit()
    stop_on_signals()


onsuccess:
    say_where_things_are()


onerror:
    say_what_failed(log)
