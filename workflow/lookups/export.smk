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
