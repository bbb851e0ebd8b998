# How small can your image training set get, which images should you keep, and how sure can you be?
#
#   snakemake --cores all                                    the default run
#   snakemake --cores all --configfile workflow/config/X.yaml    another run
#   snakemake --cores all --config folder=PATH               your own images
#   snakemake --cores all export --config export=random:0.1  export a subset
#   snakemake --cores all label_next --config pool=PATH images=500    images without labels: which to label
#   snakemake --cores all grow --config folder=PATH new=NEW kept=random:0.1    which new images to add
#   snakemake --cores 1 watch                                show a run that is at work in a browser
#   snakemake --cores 1 config                               print the settings and where each comes from
#   snakemake --cores 1 goals                                print what to write for each of many goals

# Not `include:`, which leaves the default target to this file.
workflow.include("workflow/Snakefile", overwrite_default_target=True)
