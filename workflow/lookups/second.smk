# Functions of second.smk: other folders of images under the same results.

from petite.data.sources import ALL_SOURCES


class SecondSource:
    """A folder of images beside that of the data set, whose files are in results/<name>/<place>/.

    key: the setting that names it, for messages; kind: its source, in ALL_SOURCES; path: its path.
    It has the settings of `dataset` for reading and storing images.
    """

    def __init__(self, place, key, kind, path):
        self.folder = f"{RESULTS}/{place}"
        self.key, self.path = key, Path(path)
        self.kind = ALL_SOURCES[kind]
        self.check_path()
        self.listing_settings = {
            **LISTING_SETTINGS,
            "classes": None,
            "limit_per_class": None,
        }
        opened = open_source(kind, self.path)
        self.listing = listing(opened, **self.listing_settings)
        self.count = len(self.listing)
        self.fingerprints = fingerprints_of(opened, self.listing["image_id"])
        self.arguments = (
            f"--source {kind} --max-entries {DATASET.max_entries} "
            f"--path={shlex.quote(str(path))}"
        )

    def check_path(self):
        """Raise PetiteError if there is no such folder, or if it contains the results or the data set."""
        if reason := reason_gone(self.path):
            where = other_place(self.path) if reason == "does not exist" else ""
            raise PetiteError(f"{self.key}: {self.path} {reason}{where}")
        try:
            self.kind.check_path(self.path)
        except PetiteError as error:
            raise PetiteError(f"{self.key}: {error}") from None
        check_no_results_in(self.path, self.key)
        if SOURCE.takes_path() and not DATASET.is_remote:
            self.check_apart_from(Path(DATASET.path))

    def check_apart_from(self, path):
        """Raise PetiteError if the images of one folder are also those of the other."""
        here, there = self.path.resolve(), path.resolve()
        if here == there:
            raise PetiteError(
                f"{self.key}: {self.path} is also dataset.path: give another folder"
            )
        if here.is_relative_to(there) or there.is_relative_to(here):
            outer, inner = (
                (path, self.path) if here.is_relative_to(there) else (self.path, path)
            )
            raise PetiteError(
                f"{self.key}: {inner} is inside of {outer}, so its images would be read twice: "
                "move it out of there"
            )

    def path_of(self, file):
        """The path of a file of it, such as store/index.parquet."""
        return f"{self.folder}/{file}"

    def embeddings(self):
        """The embeddings of all shards, and their records."""
        return {
            kind: [
                self.path_of(f"embeddings/{EMBEDDINGS_FOLDER}/{shard}{suffix}")
                for shard in SHARDS
            ]
            for kind, suffix in (("embeddings", ".npy"), ("embeddings_json", ".json"))
        }


# Of a folder without labels, which is often mixed with other files.
MOST_UNREADABLE = 0.99
# By place: the name of their folder in the results. A rules file adds its own.
SECOND = {}


# Images of all of them, for the memory of jobs.
def number_of_second_images():
    return max((second.count for second in SECOND.values()), default=MANY_IMAGES)


def number_of_all_images():
    """The number of images of the second source, and of the data set if it is labeled."""
    return number_of_second_images() + (number_of_images() if POOL.labeled else 0)


def second(wildcards):
    return SECOND[wildcards.second]


def second_code(script):
    """The code of a script that reads a second source."""
    return lambda wildcards: code(script, second(wildcards).kind.__module__)


def second_listing_settings(wildcards):
    return as_param(second(wildcards).listing_settings)


def second_reading(settings):
    """The settings of a job that reads a shard of a second source."""

    def of_source(wildcards):
        return as_param({**settings, "listing": second(wildcards).listing_settings})

    return of_source


def second_index_settings(wildcards):
    """Without labels, any share of the files may be unreadable: they are set aside and counted."""
    source = second(wildcards)
    settings = {**INDEX_SETTINGS, "classes": None, "limit_per_class": None}
    if not source.kind.has_classes:
        settings |= {"min_per_class": None, "max_bad_share": MOST_UNREADABLE}
    return as_param(settings)


def second_fingerprint(wildcards):
    return second(wildcards).fingerprints[wildcards.shard]


def second_fingerprints(wildcards):
    return as_param(second(wildcards).fingerprints)


def second_arguments(wildcards, input):
    """Snakemake does not compare params that depend on the input, so a folder may move."""
    return second(wildcards).arguments
