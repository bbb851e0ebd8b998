# The settings in effect: a summary at the start of a run, and all of them with `snakemake --cores 1 config`.
# What to write for a goal: `snakemake --cores 1 goals`.
# Needs: nothing. Makes: results/<dataset>/source.json, which records the source of the results.


include: "../lookups/config.smk"


rule config:
    input:
        code=code("config"),
    log:
        f"{RESULTS}/logs/config.log",
    localrule: True
    conda:
        "../../envs/petite.yaml"
    params:
        python=python,
        settings=lambda wildcards: as_param(
            {
                "described": described(
                    WRITTEN.model_dump(mode="json")
                    | {
                        "export": WRITTEN.export,
                        "export_formats": WRITTEN.export_formats,
                    },
                    RESOLVED.origins,
                )
            }
        ),
    shell:
        "{params.python} {input.code[0]:q} --settings {params.settings:q} --log {log:q}"


rule goals:
    input:
        code=code("goals"),
    log:
        f"{RESULTS}/logs/goals.log",
    localrule: True
    conda:
        "../../envs/petite.yaml"
    params:
        python=python,
    shell:
        "{params.python} {input.code[0]:q} --log {log:q}"
