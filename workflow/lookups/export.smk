# Functions of export.smk: the subset to export, and its files.

from petite.config.export import BEST

EXPORTED = PLAN.exported()
EXPORT_NAME = (
    f"{EXPORTED.method}-{as_text(EXPORTED.fraction)}-seed-{EXPORTED.seed}"
    if EXPORTED
    else BEST
)
EXPORT = f"{RESULTS}/export/{EXPORT_NAME}"
EXPORT_FILES = {
    "folder": directory(f"{EXPORT}/images"),
    "zip": f"{EXPORT}/images.zip",
    "npz": f"{EXPORT}/images.npz",
    "parquet": f"{EXPORT}/images.parquet",
    "container": directory(f"{EXPORT}/container"),
}


def subset_to_export(label, fraction, seed):
    """The file with a subset; if there is none yet, one of its own: no other seed is selected."""
    folder, own = subset_folder(label, fraction), (seed, seed)
    done = batches_in(folder, ".parquet")
    ranked = batches_in(f"{RESULTS}/rankings/{label}", ".parquet")
    found = [batch for batch in [*done, *ranked] if overlap(batch, own)]
    first, last = own if own in done else next(iter(found), own)
    return f"{folder}/seeds-{first}-{last}.parquet"


if EXPORTED:
    EXPORT_SUBSETS = {
        f"{method_of(EXPORTED.method)}:{as_text(EXPORTED.fraction)}": subset_to_export(
            method_of(EXPORTED.method), EXPORTED.fraction, EXPORTED.seed
        )
    }
    EXPORT_ENCODINGS = {encoding_of(EXPORTED.method)} - {ORIGINAL}
else:  # any of these may be the recommended one
    EXPORT_SUBSETS = {
        f"{label}:{as_text(fraction)}": subset_paths(label, fraction, 0, 0)[0]
        for label, fraction in CASES
    }
    EXPORT_ENCODINGS = set(ENCODINGS)


def encoded_to_export():
    """The files of the encodings that may be exported."""
    return [
        path
        for encoding in sorted(EXPORT_ENCODINGS)
        for kind in ENCODED.values()
        for path in of_encoding(kind, encoding)
    ]


def soft_labels_to_export():
    """The soft labels of the judge that the export is for; [] if it trains on hard ones.

    That is the first one of the run, which gives the recommendation, and of a named subset the first
    one that judges it.
    """
    judges = [judge for judge in PLAN.judges if CASES_OF[judge.name]]
    if EXPORTED:
        case = method_of(EXPORTED.method), EXPORTED.fraction
        judges = [
            judge
            for judge in judges
            if case
            in {(method_of(name), share) for name, share in CASES_OF[judge.name]}
        ]
    name = judges[0].name if judges else ""
    if name not in SOFT_LABELS:
        return []
    made = [
        path
        for case, path in EXPORT_SUBSETS.items()
        if method_name(case.partition(":")[0]) in SYNTHETIC
    ]
    is_all = EXPORTED and made
    of_images = [] if is_all else expand(SOFT_LABELS[name], repeat="")
    return of_images + (made_soft_labels(made) if name == SCRATCH_SOFT else [])


def memory_of_export(wildcards, attempt):
    """The memory of writing the images that are kept, and their soft labels if the judge has them."""
    of_labels = bytes_of_labels() if soft_labels_to_export() else 0
    return memory(1000, 1000 + of_labels)(wildcards, attempt)
