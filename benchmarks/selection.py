"""Measure the time and memory of each selection method, with its estimate and other packages.

Each method selects a tenth of features in memory, in a new process each time. Only
`petite.selection.select` is timed. Its memory is the peak of the process minus the memory before.
The estimate is that of `petite.selection.estimate`, made in the same process. A method whose
estimate exceeds the limit is not run, and the table says so.

    python benchmarks/selection.py --peers .venv-peers --cache results/benchmarks/selection.jsonl \\
        --output results/benchmarks/selection.md --plot results/benchmarks/selection.png

With --peers, packages that do the same work on one class are installed into separate environments
in that folder, and compared with Petite and plain NumPy. (The authors' `image-distillation` has its
own benchmark, pca_grid.py.) Measurements in the cache are not repeated; use another cache for
another machine or version of Petite.
"""

import argparse
import functools
import heapq
import inspect
import json
import math
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from petite.selection import METHODS, select
from petite.selection.estimate import calibrate, estimate
from petite.selection.similarities import FLOAT, Similarity, slices, squared_distances
from petite.util.errors import PetiteError
from petite.util.files import write_csv, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZES = [2_000, 5_000, 13_500, 50_000, 200_000, 1_000_000]
THREAD_VARIABLES = tuple(f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"))
# A measurement is not repeated once its rounds have taken this long.
REPEATED_WITHIN = 60  # seconds
# To start Python, import packages and make the features.
PREPARATION_SECONDS = 120
WARM_UP = 200  # images
CENTERS = 10  # of a class
# Growth is fitted from this size on.
GROWTH_FROM = 13_000
# Shorter estimates are not compared, because they leave out the overhead of a call.
JUDGED_FROM = 0.1  # seconds
CLOCKS = {
    "wall": "Seconds are wall time.",
    "cpu": "Seconds are processor time of one thread, because other work shared the machine.",
}
# Smaller values have no ratio, and smaller memory is shown as this: little of it is the method's.
LEAST_SHOWN = {"seconds": 1e-2, "memory": 1e6}

Result = dict[str, Any]
Results = dict[tuple[str, Any], Result]

# ---------------------------------------------------------------------------- one measurement


def make_features(count: int, dimensions: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Features like the principal components of photographs, and labels.

    Each class is a mixture of Gaussians around CENTERS points; the spread falls with the component.
    Returns float32 (n, d) and int64 (n,), which are the same for the same arguments.
    """
    random = np.random.default_rng(0)
    spread = (np.arange(1, dimensions + 1) ** -0.7).astype(np.float32)
    centers = spread * random.standard_normal((classes, CENTERS, dimensions), np.float32)
    labels = np.arange(count) % classes
    center = random.choice(CENTERS, count, p=random.dirichlet(np.full(CENTERS, 3.0)))
    features = np.empty((count, dimensions), np.float32)
    for rows in slices(count, FLOAT * dimensions, 16 * 2**20):
        random.standard_normal(dtype=np.float32, out=features[rows])
        features[rows] *= spread
        features[rows] += centers[labels[rows], center[rows]]
    return features, labels


def held() -> int:
    """Resident bytes of this process; on Linux, also resets `peak` to them if allowed."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS") or peak()


def peak() -> int:
    """The peak of resident bytes of this process."""
    # On Linux, getrusage includes the memory of the parent.
    unit = 1 if sys.platform == "darwin" else 1024
    return status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def status(name: str) -> int:
    """A value of /proc/self/status in bytes; 0 if there is none."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(name):
                return 1024 * int(line.split()[1])
    return 0


def clocks() -> dict[str, float]:
    """The wall time, and the CPU time of all threads of this process, in seconds."""
    return {"wall": time.perf_counter(), "cpu": time.process_time()}


def since(began: dict[str, float]) -> dict[str, float]:
    """The seconds since then on each clock."""
    return {clock: now - began[clock] for clock, now in clocks().items()}


def child(job: dict[str, Any], limit: float, answer: Connection) -> None:
    """Run one selection in its own process, and send its time and memory.

    Sends {"not_run": reason}; or {} when the clock starts, and then the measurement.
    """
    method, count, k = METHODS[job["method"]], job["n"], job["k"]
    settings = method.settings()
    traits = method.traits(settings)
    sizes = np.bincount(np.arange(count) % job["classes"])
    dimensions = job["dimensions"] if traits.features else 0
    forecast = estimate(method, settings, sizes, k, dimensions, calibrate())
    predicted = {"forecast_seconds": forecast.seconds, "forecast_memory": forecast.memory}
    if forecast.seconds > limit:
        answer.send({"not_run": f"forecast {forecast.seconds:,.3g} s", **predicted})
        return

    # What is loaded at the first use is not timed.
    few, few_labels = make_features(WARM_UP, job["dimensions"], job["classes"])
    scores = np.random.default_rng(1).random(max(count, WARM_UP))
    some = WARM_UP if method.name == "full" else WARM_UP // 10
    select(few, few_labels, some, method.name, scores=scores[:WARM_UP])
    features, labels = make_features(count, job["dimensions"], job["classes"])
    answer.send({})
    before = held()
    began = clocks()
    try:
        ranking = select(features, labels, k, method.name, scores=scores[:count])
    except PetiteError as error:
        answer.send({"not_run": str(error), **predicted})
        return
    answer.send(
        {
            **since(began),
            "memory": max(0, peak() - before),
            "peak": peak(),
            "partitions": ranking.partitions,
            "indices": ranking.indices,
            **predicted,
        }
    )


def in_child(job: dict[str, Any], limit: float) -> Result:
    """Run `child` and return its answer, or the reason why there is none."""
    context = multiprocessing.get_context("spawn")
    answer, its_end = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(job, limit, its_end))
    process.start()
    its_end.close()
    result: Result = {}
    try:
        for wait in (PREPARATION_SECONDS, limit):
            if not answer.poll(wait):
                return {"not_run": f"stopped after {wait:,g} s"}
            result = answer.recv()
            if result:
                break
    except EOFError:
        process.join()
        return {"not_run": f"ended with {process.exitcode}"}
    finally:
        if not result:
            process.kill()
        process.join()
    return result


# ------------------------------------------------------------------- what others do, one class

# These functions are run by another Python, which knows NumPy and one package: their source is all
# that it gets. Each takes features (m, d) float32, or their similarities (m, m) float32, and
# returns k positions.


def similarities(features: np.ndarray) -> np.ndarray:
    """exp(-|x - y|^2 / mean of all pairs), (m, m) as in `petite.selection.similarities`."""
    points = features - features.mean(axis=0)
    squares = np.einsum("ij,ij->i", points, points)
    result = points @ (-2 * points.T)
    result += squares[:, None]
    result += squares
    np.maximum(result, 0, out=result)
    result /= -2 * squares.mean(dtype=np.float64)
    return np.exp(result, out=result)


def apricot_lazy(similarity: np.ndarray, k: int) -> Any:
    from apricot import FacilityLocationSelection

    chooser = FacilityLocationSelection(k, metric="precomputed", optimizer="lazy")
    return chooser.fit(similarity).ranking


def apricot_two_stage(similarity: np.ndarray, k: int) -> Any:
    from apricot import FacilityLocationSelection

    chooser = FacilityLocationSelection(k, metric="precomputed", optimizer="two-stage")
    return chooser.fit(similarity).ranking


def submodlib_lazy(similarity: np.ndarray, k: int) -> Any:
    from submodlib import FacilityLocationFunction

    count = len(similarity)
    function = FacilityLocationFunction(count, "dense", sijs=similarity, separate_rep=False)
    found = function.maximize(k, optimizer="LazyGreedy", show_progress=False)
    return [image for image, _ in found]


def numpy_lazy(similarity: np.ndarray, k: int) -> Any:
    """Minoux 1978: a heap of upper bounds."""
    cover = np.zeros(len(similarity), np.float32)
    heap = [(-float(gain), image) for image, gain in enumerate(similarity.sum(axis=1))]
    heapq.heapify(heap)
    chosen: list[int] = []
    while len(chosen) < k:
        _, image = heap[0]
        gain = float(np.maximum(similarity[image] - cover, 0).sum())
        heapq.heapreplace(heap, (-gain, image))
        if heap[0][1] == image:
            heapq.heappop(heap)
            chosen.append(image)
            np.maximum(cover, similarity[image], out=cover)
    return chosen


def numpy_herding(features: np.ndarray, k: int) -> Any:
    mean = features.mean(axis=0)
    total = np.zeros_like(mean)
    free = np.ones(len(features), bool)
    chosen = []
    for place in range(k):
        gap = ((mean * (place + 1) - total - features) ** 2).sum(axis=1)
        chosen.append(int(np.where(free, gap, np.inf).argmin()))
        total += features[chosen[-1]]
        free[chosen[-1]] = False
    return chosen


def numpy_k_center(features: np.ndarray, k: int) -> Any:
    chosen = [int(((features - features.mean(axis=0)) ** 2).sum(axis=1).argmin())]
    distance = np.full(len(features), np.inf)
    while len(chosen) < k:
        to_last = np.linalg.norm(features - features[chosen[-1]], axis=1)
        distance = np.minimum(distance, to_last)
        chosen.append(int(distance.argmax()))
    return chosen


def sklearn_medoids(features: np.ndarray, k: int) -> Any:
    from sklearn.cluster import KMeans
    from sklearn.metrics import pairwise_distances_argmin

    found = KMeans(k, random_state=0).fit(features)
    return pairwise_distances_argmin(found.cluster_centers_, features)


def peer_run(choose: Callable[[np.ndarray, int], Any], by_similarity: bool) -> None:
    """Load the features, select, and print the time and memory."""
    k = int(sys.argv[2])
    few = np.random.default_rng(0).standard_normal((100, 8), np.float32)
    choose(similarities(few) if by_similarity else few, 10)
    given = np.load(sys.argv[1])
    before = held()
    began = clocks()
    if by_similarity:
        given = similarities(given)
    prepared = since(began)
    chosen = [int(image) for image in choose(given, k)]
    result = {
        **since(began),
        "similarities": prepared,
        "memory": max(0, peak() - before),
        "peak": peak(),
        "indices": chosen,
    }
    print("\n" + json.dumps(result))


PEER_IMPORTS = """
import heapq, json, resource, sys, time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable
import numpy as np
import pandas as pd
"""

SAME = ("numpy", "scipy", "scikit-learn")  # in the versions that Petite has


class Peer(NamedTuple):
    """Another program for the work of one of Petite's methods.

    requirements: what its environment needs besides `SAME`; None: Petite's own environment is used.
    """

    title: str
    method: str
    choose: Callable[[np.ndarray, int], Any]
    by_similarity: bool
    requirements: tuple[str, ...] | None = None


# The last release of apricot that has a wheel; it imports scikit-learn without asking for it.
APRICOT = ("apricot-select==0.6.0",)
SUBMODLIB = ("submodlib-py==0.0.3",)
PEERS = (
    Peer("apricot-select, lazy", "facility_location", apricot_lazy, True, APRICOT),
    Peer("apricot-select, two-stage", "facility_location", apricot_two_stage, True, APRICOT),
    Peer("submodlib-py, LazyGreedy", "facility_location", submodlib_lazy, True, SUBMODLIB),
    Peer("NumPy, lazy greedy", "facility_location", numpy_lazy, True),
    Peer("scikit-learn, KMeans and nearest", "kmeans_medoid", sklearn_medoids, False),
    Peer("NumPy, herding", "herding", numpy_herding, False),
    Peer("NumPy, k-center", "k_center_greedy", numpy_k_center, False),
)


def facility_value(features: np.ndarray, chosen: np.ndarray) -> float:
    """Sum of the similarities of all images to their nearest selected image; higher is better."""
    return float(Similarity(features).rows(chosen).max(axis=0).sum(dtype=np.float64))


def medoid_value(features: np.ndarray, chosen: np.ndarray) -> float:
    """Mean squared distance of an image to the nearest selected image; lower is better."""
    return float(squared_distances(features, features[chosen]).min(axis=1).mean())


def herding_value(features: np.ndarray, chosen: np.ndarray) -> float:
    """Distance between the mean of the selected images and the mean of all; lower is better."""
    wide = features.astype(np.float64)
    return float(np.linalg.norm(wide[chosen].mean(axis=0) - wide.mean(axis=0)))


def center_value(features: np.ndarray, chosen: np.ndarray) -> float:
    """Largest distance of an image to the nearest selected image; lower is better."""
    return float(np.sqrt(squared_distances(features, features[chosen]).min(axis=1).max()))


VALUES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "facility_location": facility_value,
    "kmeans_medoid": medoid_value,
    "herding": herding_value,
    "k_center_greedy": center_value,
}


def python_for(requirements: tuple[str, ...], folder: Path) -> Path | None:
    """The Python of a package's environment, made where there is none yet; None where it fails."""
    wanted = [*requirements, *(f"{name}=={version(name)}" for name in SAME)]
    home = folder / requirements[0]
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    stamp = home / "installed.txt"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != "\n".join(wanted):
        install = [str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
            subprocess.run([*install, *wanted], check=True)
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"{requirements[0]} cannot be installed: {error}", flush=True)
            return None
        stamp.write_text("\n".join(wanted), encoding="utf-8")
    return python


def run_peer(peer: Peer, python: Path, features: Path, k: int, limit: float) -> Result:
    """Run another program once on the features in a file."""
    functions: tuple[Any, ...] = (
        held,
        peak,
        status,
        clocks,
        since,
        similarities,
        peer.choose,
        peer_run,
    )
    call = f"peer_run({peer.choose.__name__}, {peer.by_similarity})"
    code = "\n\n".join([PEER_IMPORTS, *map(inspect.getsource, functions), call])
    command = [str(python), "-c", code, str(features), str(k)]
    limit += PREPARATION_SECONDS
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"not_run": f"stopped after {limit:,g} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
        return {"not_run": last}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


# ------------------------------------------------------------------------------- all of them


class Cache:
    """Measurements by what was measured, kept in a file of JSON lines where one is given."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.known: dict[str, Result] = {}
        if path and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                with suppress(json.JSONDecodeError):  # cut off when the run was
                    entry = json.loads(line)
                    self.known[json.dumps(entry["job"], sort_keys=True)] = entry["result"]

    def get(self, job: dict[str, Any], limit: float) -> Result | None:
        """What is known of a job. What another limit had stopped is to be tried again."""
        found = self.known.get(json.dumps(job, sort_keys=True))
        return None if found and "not_run" in found and found["limit"] != limit else found

    def put(self, job: dict[str, Any], result: Result) -> None:
        """Keep a measurement, or that there was no time for it; what failed is tried again."""
        if not result.get("not_run", "stopped").startswith(("stopped", "forecast")):
            return
        self.known[json.dumps(job, sort_keys=True)] = result
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" + json.dumps({"job": job, "result": result}))


def rounds_of(
    name: str,
    job: dict[str, Any],
    measure: Callable[[], Result],
    cache: Cache,
    args: argparse.Namespace,
) -> Result:
    """Measure some rounds, or take them from the cache; returns the fastest.

    Its memory is the most of any round's.
    """
    found: list[Result] = []
    for number in range(args.rounds):
        this = {**job, "threads": args.threads, "round": number}
        result = cache.get(this, args.limit_seconds)
        cached = result is not None
        if result is None:
            load = os.getloadavg()[0]
            result = {**measure(), "limit": args.limit_seconds, "load": load}
            cache.put(this, result)
        text = in_words(result, args.clock) + (" (cached)" if cached else "")
        print(f"{name:<52} {text}", flush=True)
        if "not_run" in result:
            return result
        result["seconds"] = result[args.clock]
        found.append(result)
        if sum(each["wall"] for each in found) > REPEATED_WITHIN:
            break
    best = min(found, key=lambda each: each["seconds"])
    return {**best, **{name: max(each[name] for each in found) for name in ("memory", "peak")}}


def in_words(result: Result, clock: str) -> str:
    """A line of progress."""
    if "not_run" in result:
        return f"not run: {result['not_run']}"
    forecast = result.get("forecast_seconds")
    predicted = "" if forecast is None else f" (forecast {forecast:.3f})"
    return f"{result[clock]:.3f} s{predicted}, {megabytes(result['memory'])} MB"


def measure_methods(cache: Cache, args: argparse.Namespace) -> Results:
    """Every method at every size, by (method, n)."""
    results = {}
    for count in sorted(args.sizes):
        for method in args.methods:
            job = job_of(method, count, args.classes, args)
            measure = functools.partial(measure_method, job, args.limit_seconds)
            results[method, count] = rounds_of(f"{method} {count:,}", job, measure, cache, args)
    return results


def job_of(method: str, count: int, classes: int, args: argparse.Namespace) -> dict[str, Any]:
    """What a child is to do."""
    k = count if method == "full" else max(1, round(args.fraction * count))
    return dict(method=method, n=count, k=k, dimensions=args.dimensions, classes=classes)


def measure_method(job: dict[str, Any], limit: float) -> Result:
    """A child's answer without the images chosen."""
    result = in_child(job, limit)
    result.pop("indices", None)
    return result


def measure_peers(cache: Cache, args: argparse.Namespace) -> Results:
    """Petite and others on one class, by (method, title)."""
    features, _ = make_features(args.peer_size, args.dimensions, 1)
    results: Results = {}

    def run(method: str, title: str, once: Callable[[], Result]) -> None:
        job = job_of(method, args.peer_size, 1, args) | {"program": title}
        measure = functools.partial(with_value, once, features, VALUES[method])
        results[method, title] = rounds_of(f"{method}: {title}", job, measure, cache, args)

    with tempfile.TemporaryDirectory(prefix="petite-") as temporary:
        path = Path(temporary) / "features.npy"
        np.save(path, features)
        for method in VALUES:
            job = job_of(method, args.peer_size, 1, args)
            run(method, "Petite", functools.partial(in_child, job, args.limit_seconds))
            for peer in (peer for peer in PEERS if peer.method == method):
                python: Path | None = Path(sys.executable)
                if peer.requirements:
                    python = args.peers and python_for(peer.requirements, args.peers)
                if python is None:
                    why = "it could not be installed" if args.peers else "no folder for --peers"
                    results[method, peer.title] = {"not_run": why}
                    print(f"{method}: {peer.title}: not run: {why}")
                    continue
                once = functools.partial(run_peer, peer, python, path, job["k"], args.limit_seconds)
                run(method, peer.title, once)
    return results


def with_value(
    measure: Callable[[], Result],
    features: np.ndarray,
    value: Callable[[np.ndarray, np.ndarray], float],
) -> Result:
    """Measure, and add the quality of the selected images and how many differ."""
    result = measure()
    if "indices" in result:
        chosen = np.asarray(result.pop("indices"), np.int64)
        result["value"] = value(features, chosen)
        result["images"] = len(np.unique(chosen))
    return result


# ------------------------------------------------------------------------------------- report


def megabytes(size: float) -> str:
    """Megabytes with one digit where they are few."""
    return f"{size / 1e6:.{0 if size >= 1e7 else 1}f}"


def seconds_in_words(seconds: float) -> str:
    """Seconds with three digits that mean something."""
    return (
        f"{seconds:.{0 if seconds >= 100 else 1 if seconds >= 10 else 2 if seconds >= 1 else 4}f}"
    )


def ratio(measured: float, forecast: float, least: float) -> str:
    """Measured to forecast; "" if both are less than `least`."""
    return f"{measured / forecast:.2g}" if max(measured, forecast) >= least else ""


def markdown(table: pd.DataFrame) -> list[str]:
    """The lines of a table of text, with the first column to the left."""
    rows = [[*table.columns], ["---", *["---:"] * (table.shape[1] - 1)], *table.to_numpy().tolist()]
    return [f"| {' | '.join(cells)} |" for cells in rows]


def method_table(results: Results) -> pd.DataFrame:
    """Every measurement as text, the sizes of a method one below the other."""
    rows = []
    for name in dict.fromkeys(name for name, _ in results):
        for (method, count), result in results.items():
            if method != name:
                continue
            row = {"method": method, "images": f"{count}"}
            if "not_run" in result:
                rows.append(row | {"seconds": f"not run: {result['not_run']}"})
                continue
            seconds, memory = result["seconds"], result["memory"]
            forecast, room = result["forecast_seconds"], result["forecast_memory"]
            rows.append(
                row
                | {
                    "partitions": f"{result['partitions']}",
                    "seconds": seconds_in_words(seconds),
                    "forecast_seconds": seconds_in_words(forecast),
                    "seconds_ratio": ratio(seconds, forecast, LEAST_SHOWN["seconds"]),
                    "memory_mb": megabytes(memory),
                    "forecast_memory_mb": megabytes(room),
                    "memory_ratio": ratio(memory, room, LEAST_SHOWN["memory"]),
                    "peak_mb": megabytes(result["peak"]),
                    "wall_seconds": seconds_in_words(result["wall"]),
                }
            )
    return pd.DataFrame(rows).fillna("")


def growth_table(results: Results) -> pd.DataFrame:
    """The exponent of n by which each method's time and memory grow, where it was measured."""
    rows = []
    for name in dict.fromkeys(name for name, _ in results):
        known = sorted(
            (int(count), result["seconds"], max(result["memory"], LEAST_SHOWN["memory"]))
            for (method, count), result in results.items()
            if method == name and "seconds" in result and int(count) >= GROWTH_FROM
        )
        if len(known) < 2:
            continue
        counts, *measured = np.log(np.array(known, np.float64).T)
        slopes = [np.polyfit(counts, values, 1)[0] for values in measured]
        rows.append(
            {
                "method": name,
                "images_from": f"{known[0][0]}",
                "images_to": f"{known[-1][0]}",
                "exponent_of_seconds": f"{slopes[0]:.2f}",
                "exponent_of_memory": f"{slopes[1]:.2f}",
            }
        )
    return pd.DataFrame(rows)


def program_table(results: Results, clock: str) -> pd.DataFrame:
    """Petite and others as text, by work."""
    rows = []
    for (method, title), result in results.items():
        row = {"work": method, "program": title}
        if "not_run" in result:
            rows.append(row | {"seconds": f"not run: {result['not_run']}"})
            continue
        ours = results[method, "Petite"]
        ratios = [
            f"{result[name] / ours[name]:.2g}" if ours.get(name) else ""
            for name in ("seconds", "memory")
        ]
        similarity = result.get("similarities", {}).get(clock, 0.0)
        rows.append(
            row
            | {
                "seconds": seconds_in_words(result["seconds"]),
                "seconds_ratio": ratios[0],
                "similarities_seconds": seconds_in_words(similarity) if similarity > 1e-3 else "",
                "memory_mb": megabytes(result["memory"]),
                "memory_ratio": ratios[1],
                "value": f"{result['value']:.6g}",
                "images": f"{result['images']}",
            }
        )
    return pd.DataFrame(rows).fillna("")


def report(methods: Results, peers: Results, args: argparse.Namespace) -> str:
    """The Markdown."""
    judged = [
        result["seconds"] / result["forecast_seconds"]
        for result in methods.values()
        if "seconds" in result and max(result["seconds"], result["forecast_seconds"]) > JUDGED_FROM
    ]
    within = sum(0.5 <= ratio <= 2 for ratio in judged)
    loads = [result["load"] for result in [*methods.values(), *peers.values()] if "load" in result]
    lines = [
        "# Time and memory of selection",
        "",
        f"{args.fraction:.0%} of n images in {args.classes} classes with {args.dimensions} "
        f"features, which are in memory before the clock starts. {CLOCKS[args.clock]} Fastest of "
        f"{args.rounds} round(s), or of one if it takes longer than {REPEATED_WITHIN} s, each in "
        "a new process. "
        "Memory is what the selection adds to the process at its peak, the maximum of all "
        "rounds. The peak includes Python, its packages and the features. Ratios are measured to "
        "forecast.",
        "",
        f"{args.threads} thread(s), {platform.machine()}, {os.cpu_count()} cores, load "
        f"{min(loads, default=0):.1f} to {max(loads, default=0):.1f}; Python "
        f"{platform.python_version()}, NumPy {version('numpy')}, scikit-learn "
        f"{version('scikit-learn')}.",
        "",
        f"Of {len(judged)} measurements or forecasts above {JUDGED_FROM} s, {within} were within "
        "half to twice the forecast.",
        "",
        *markdown(method_table(methods)),
        "",
    ]
    growth = growth_table(methods)
    if len(growth):
        lines += [
            "## Growth",
            "",
            f"Slope of a line fitted to the logarithms, for sizes of {GROWTH_FROM:,} images and "
            "more. Memory below 1 MB counts as 1 MB. The smallest of these sizes may be selected "
            "in one stage and the others in partitions.",
            "",
            *markdown(growth),
            "",
        ]
    if peers:
        count = args.peer_size
        values = (f"{name}: {inspect.getdoc(value)}" for name, value in VALUES.items())
        lines += [
            "## Other programs",
            "",
            f"{max(1, round(args.fraction * count)):,} of {count:,} images of one class, with "
            f"{args.dimensions} features. For facility location, all programs maximize the same "
            "similarities. Petite computes them when it needs them. The others compute them first "
            "and keep them in memory.",
            "",
            *markdown(program_table(peers, args.clock)),
            "",
            "Value: " + " ".join(values),
            "",
        ]
    return "\n".join(lines)


# --------------------------------------------------------------------------------------- plot

FAMILIES = {
    "cheap, and pca_grid": ("full", "random", "pca_grid"),
    "clusters": ("kmeans_medoid", "typiclust", "semdedup", "cluster_random"),
    "cover and match": ("k_center_greedy", "herding", "zcore", "kernel_thinning"),
    "set functions": ("facility_location", "craig", "graph_cut", "k_dpp"),
    "scores of features, and d2": ("d2", "moderate", "prototype_easy", "prototype_hard"),
    "scores of training": ("el2n", "grand", "forgetting", "aum", "uncertainty", "ccs", "score"),
}
LABEL_HEIGHT = 0.135  # inches


def families(methods: list[str]) -> dict[str, list[str]]:
    """The methods that were measured, by family; those that no family names in one of their own."""
    known = {name for names in FAMILIES.values() for name in names}
    every = {**FAMILIES, "others": tuple(name for name in methods if name not in known)}
    found = {family: [name for name in names if name in methods] for family, names in every.items()}
    return {family: names for family, names in found.items() if names}


def draw(results: Results, args: argparse.Namespace) -> "Figure":
    """Time and memory against n, a row of two panels for each family of methods."""
    from matplotlib.figure import Figure

    from petite.plots import style

    measured = {key: result for key, result in results.items() if "seconds" in result}
    rows = families(list(dict.fromkeys(method for method, _ in measured)))
    heights = [max(1.1, LABEL_HEIGHT * len(names) + 0.3) for names in rows.values()]
    figure = Figure(figsize=(style.WIDTH, sum(heights) + 1.2), layout="constrained")
    grid = figure.subplots(
        len(rows), 2, sharex=True, sharey="col", squeeze=False,
        gridspec_kw={"height_ratios": heights},
    )  # fmt: skip
    for (left, right), (family, names) in zip(grid, rows.items(), strict=True):
        left.set_title(family)
        for axes, column in ((left, "seconds"), (right, "memory")):
            for name in names:
                draw_method(axes, name, line_of(measured, name, column))
        counts = np.array(sorted({int(count) for _, count in measured}))
        right.plot(counts, FLOAT * args.dimensions * counts / 1e6, color=style.FAINT, zorder=1)
        left.set_ylabel("seconds")
        right.set_ylabel("MB added")
    for axes in grid[-1]:
        axes.set_xlabel("images to choose from")
    set_axes(grid, measured)
    style.title(
        figure,
        f"Choosing {args.fraction:.0%} of n images: time and memory of each method",
        f"{args.classes} classes, {args.dimensions} features in memory before the start, "
        f"{args.threads} thread(s), {args.clock} time, fastest of {args.rounds} round(s). All "
        "panels of a column have one scale. Dotted: time in proportion to n. Gray, at the "
        "right: the features' own size. Less than 1 MB is shown as 1 MB.",
    )
    figure.draw_without_rendering()  # labels are placed in inches, so the size must be known
    for (left, right), names in zip(grid, rows.values(), strict=True):
        for axes, column in ((left, "seconds"), (right, "memory")):
            label_lines(axes, {name: line_of(measured, name, column) for name in names})
    return figure


def line_of(measured: Results, method: str, column: str) -> np.ndarray:
    """The sizes that a method was measured at, and its seconds or megabytes: (2, s) float64."""
    unit = 1e6 if column == "memory" else 1.0
    least = LEAST_SHOWN["memory"] if column == "memory" else 0
    points = sorted(
        (int(count), max(result[column], least) / unit)
        for (name, count), result in measured.items()
        if name == method
    )
    return np.array(points, np.float64).T


def draw_method(axes: "Axes", method: str, line: np.ndarray) -> None:
    """A method's line."""
    from petite.plots import style

    axes.plot(
        *line,
        color=style.method_color(method),
        marker=style.method_marker(method),
        markersize=4,
        markeredgecolor="white",
        markeredgewidth=0.4,
        linewidth=1.2,
        zorder=3,
    )


def set_axes(grid: np.ndarray, measured: Results) -> None:
    """Logarithmic axes with room for the names, and what is drawn for the eye to compare."""
    from matplotlib.ticker import FixedLocator, LogFormatterMathtext, LogLocator, NullFormatter

    from petite.plots import style

    counts = sorted({int(count) for _, count in measured})
    width = max(math.log(counts[-1] / counts[0]), 0.5)
    for place, axes in enumerate(grid.flat):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(counts[0] * math.exp(-0.04 * width), counts[-1] * math.exp(0.62 * width))
        axes.spines["bottom"].set_bounds(axes.get_xlim()[0], counts[-1] * math.exp(0.04 * width))
        axes.xaxis.set_major_locator(FixedLocator(counts))
        axes.xaxis.set_major_formatter(lambda count, _: short(count))
        axes.xaxis.set_minor_locator(FixedLocator([]))
        axes.grid(axis="y")
        axes.yaxis.set_major_locator(LogLocator(numticks=5))
        axes.yaxis.set_major_formatter(LogFormatterMathtext())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="y", which="minor", left=False)
        if place % 2 == 0:  # time
            ends = np.array([counts[0], counts[-1]], np.float64)
            low, high = axes.get_ylim()
            for power in range(-12, 6, 2):
                axes.plot(ends, ends / ends[0] * 10.0**power, ":", color=style.FAINT, zorder=1)
            axes.set_ylim(low, high)


def short(count: float) -> str:
    """A number of images in few letters: 13.5k, 1M."""
    return f"{count / 1e6:g}M" if count >= 1e6 else f"{count / 1e3:g}k"


def label_lines(axes: "Axes", lines: dict[str, np.ndarray]) -> None:
    """Each method's name at the right of the last point of all, with a hairline to its own."""
    from petite.plots import style

    low, high = np.log10(axes.get_ylim())
    height = axes.get_window_extent().height / axes.figure.dpi
    gap = LABEL_HEIGHT * (high - low) / height
    wished = [float(np.log10(line[1, -1])) for line in lines.values()]
    shift = 0.0
    places = style.spread(wished, gap)
    # As a whole within the panel.
    shift = max(0.0, low + gap / 2 - min(places)) - max(0.0, max(places) + gap / 2 - high)
    left, right = axes.get_xlim()
    for (method, line), place in zip(lines.items(), places, strict=True):
        axes.annotate(
            method,
            (line[0, -1], line[1, -1]),
            xytext=(left * (right / left) ** 0.71, 10 ** (place + shift)),
            va="center",
            fontsize=7,
            color=style.method_color(method),
            arrowprops={
                "arrowstyle": "-",
                "color": style.method_color(method),
                "linewidth": 0.5,
                "relpos": (0, 0.5),
                "shrinkA": 0,
                "shrinkB": 3,
            },
        )


# --------------------------------------------------------------------------------------- main


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--output",
        type=Path,
        help="a Markdown file for the tables; also CSV next to it",
    )
    parser.add_argument("--plot", type=Path, help="a .png or .svg for the figure; both are written")
    parser.add_argument("--cache", type=Path, help="a file of finished measurements (.jsonl)")
    parser.add_argument("--peers", type=Path, help="a folder for other packages' environments")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, metavar="N")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS, metavar="M")
    parser.add_argument("--fraction", type=float, default=0.1)
    parser.add_argument("--dimensions", type=int, default=64)
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--peer-size", type=int, default=6_750, help="images for other programs; 0")
    parser.add_argument(
        "--rounds", type=int, default=3, help="number of rounds, of which the fastest is shown"
    )
    parser.add_argument("--limit-seconds", type=float, default=600.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="which seconds are shown")
    args = parser.parse_args()
    # Read when NumPy is loaded: by the processes that are started, not by this one.
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(args.threads)))
    cache = Cache(args.cache)
    peers = measure_peers(cache, args) if args.peer_size else {}
    methods = measure_methods(cache, args)
    text = report(methods, peers, args)
    if args.output:
        write_text(args.output, text)
        for end, table in {
            "": method_table(methods),
            "_growth": growth_table(methods),
            "_programs": program_table(peers, args.clock),
        }.items():
            if len(table):
                write_csv(args.output.with_name(f"{args.output.stem}{end}.csv"), table)
    print(text)
    if args.plot and any("seconds" in result for result in methods.values()):
        from petite.plots import style

        figure = style.styled(draw)(methods, args)
        style.save(figure, args.plot.with_suffix(".png"), args.plot.with_suffix(".svg"))


if __name__ == "__main__":
    main()
