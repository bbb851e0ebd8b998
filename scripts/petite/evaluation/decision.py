"""From verdicts to a recommendation: what to keep, and why."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from petite.evaluation.chance import AgainstChance, Chance
from petite.evaluation.declared import NOTHING_SEEN, Seen
from petite.evaluation.learning_curve import LearningCurve
from petite.evaluation.looks import Looks, seeds_needed
from petite.evaluation.metrics import ACCURACY
from petite.evaluation.next_steps import next_steps
from petite.evaluation.recommendation import (
    AgainstFull,
    AgainstRandom,
    Basis,
    Bounds,
    BytesFinding,
    Caution,
    Comparison,
    Curve,
    Difference,
    Finding,
    FindingKind,
    Floor,
    Gap,
    ImageGroups,
    Kept,
    Kind,
    Recommendation,
    SeeFewerFinding,
    Subset,
    Uncertainty,
)
from petite.evaluation.runs import (
    CASE,
    FULL,
    SEEN,
    images_of_full,
    is_reference,
    network_bytes,
    reference_of,
    that_see_fewer,
)
from petite.evaluation.statistics import ALPHA, CONFIDENCE
from petite.evaluation.uncertainty import Uncertainties
from petite.evaluation.verdicts import (
    BETTER,
    EQUIVALENCE_CONFIDENCE,
    EQUIVALENT,
    NOT_COMPARED,
    NOT_WORSE,
    TOO_FEW,
    TOO_FEW_IMAGES,
    WORSE,
)
from petite.util.encoded_names import method_of

GOOD_ENOUGH = (EQUIVALENT, NOT_WORSE)
# What may be close enough to the full set to be recommended.
NEAR = (*GOOD_ENOUGH, TOO_FEW_IMAGES)

Answer = tuple[Kind, Kept | None, tuple[Finding, ...]]


def recommend(
    runs: pd.DataFrame,
    table: pd.DataFrame,
    tolerance: float,
    curve: LearningCurve | None = None,
    against: AgainstChance | None = None,
    gaps: Sequence[Gap] = (),
    groups: ImageGroups | None = None,
    looks: Looks | None = None,
    seen: Seen = NOTHING_SEEN,
    uncertainties: Uncertainties | None = None,
    seeds: int | None = None,
) -> Recommendation:
    """Recommend which images to keep.

    If the models of all images do not beat chance, nothing is recommended: models that learned
    nothing cannot distinguish a good subset from a bad one. A subset whose own models do not beat
    chance is not recommended either.

    Otherwise the recommendation is the subset with the fewest images that is shown to lose at most
    the tolerance against the full set, and is not shown to be worse than random. Among the methods
    of this size it is the most accurate of those that are shown to be better than random. If there
    is none, it is random, or the first by name if random is not shown to be good enough. Taking the
    most accurate would select on the test images. If no subset is shown to be good enough, the
    recommendation is to keep all images. If the full set was not trained, it is the largest subset,
    which is likely to lose least.

    Parameters
    ----------
    runs : DataFrame
        The table of runs.csv.
    table : DataFrame
        Their verdicts, see `compare`.
    tolerance : float
        Share of the metric that may be lost.
    curve : LearningCurve, optional
        Of random images; None for a single size.
    against : AgainstChance, optional
        The models against constant answers; None if predictions were not kept.
    gaps : sequence of Gap
        The missing runs.
    groups : ImageGroups, optional
        If the test images are in groups.
    looks : Looks, optional
        When the comparisons were tested; None: once, with all seeds.
    seen : Seen
        The results that had been seen before the plan was changed.
    uncertainties : Uncertainties, optional
        Finds the parts of the uncertainty; None if predictions were not kept.
    seeds : int, optional
        The most that the run declared; None: those of the runs.

    Returns
    -------
    Recommendation
    """
    chance = against.of_all if against else None
    against = against if chance else None  # without predictions
    table = table.assign(learned=_learned(table, against))
    comparisons = tuple(_comparison(row) for _, row in table.iterrows())
    metric = ACCURACY if table.empty else table["metric"].iloc[0]
    see_fewer = table["method"].isin(that_see_fewer(runs))
    fewer_seen = table[see_fewer]
    table = table[~see_fewer]  # those keep all images, so that they are no candidates
    left_out: tuple[Chance, ...] = ()
    cautions: tuple[Caution, ...] = ()
    if chance is not None and not chance.is_beaten:
        answer: Answer = ("keep_none", None, (Finding(chance.not_learned),))
    else:
        answer = _answer(table, images_of_full(runs), int(runs["images"].max()))
    kind, kept, findings = answer
    if against and kept:
        left_out = _left_out(table, against)
        cautions = _cautions(against, kept)
    uncertainty = _uncertainty(table, kind, findings, uncertainties) if uncertainties else None
    if seeds is None:
        seeds = int(runs.groupby(CASE)["training_seed"].nunique().max())
    return Recommendation(
        judge=str(runs["judge"].iloc[0]),
        dataset=str(runs["dataset"].iloc[0]),
        metric=metric,
        tolerance=tolerance,
        kind=kind,
        kept=kept,
        findings=(*findings, *_bytes_of(runs, kept), *_seeing_fewer(runs, fewer_seen)),
        basis=replace(_basis(table, runs, looks, seen), groups=groups),
        cautions=cautions,
        left_out=left_out,
        next_steps=next_steps(table, tolerance, curve, chance, uncertainty, seeds, looks),
        chance=chance,
        comparisons=comparisons,
        curve=_curve(curve, tolerance) if curve else None,
        gaps=tuple(gaps),
        uncertainty=uncertainty,
    )


# ------------------------------------------------------------------------------ what to keep


def _bytes_of(runs: pd.DataFrame, kept: Kept | None) -> Iterator[BytesFinding]:
    """The bytes of what is kept, if images are encoded."""
    if kept is None or "encoding" not in runs:
        return
    # Of all images, some judges take a part for each seed.
    is_all = runs["method"].map(method_of) == FULL
    part = runs.get("share", pd.Series(1.0, runs.index)).where(is_all, 1.0)
    whole = runs["bytes"] / part
    of_labels = runs.get("soft_label_bytes", pd.Series(0.0, runs.index)).fillna(0.0) / part
    is_own = (runs["method"] == kept.method) & (runs["fraction"] == kept.fraction)
    # The originals have no soft labels.
    own, of_all = whole[is_own], (whole - of_labels)[runs["method"] == FULL].mean()
    if own.notna().any():
        yield BytesFinding(
            "bytes",
            str(runs.loc[is_own, "encoding"].iloc[0]),
            round(own.mean()),
            None if math.isnan(of_all) else round(of_all),
            len(json.loads(runs.loc[is_own, "confusion"].iloc[0])),
            network_bytes(runs),
            soft_label_bytes=round(of_labels[is_own].mean()),
        )


def _seeing_fewer(runs: pd.DataFrame, table: pd.DataFrame) -> Iterator[SeeFewerFinding]:
    """What the trainings lose and save that see fewer images than they keep."""
    seconds = runs.groupby("method")["train_seconds"].mean()
    for _, row in table.iterrows():
        method = str(row["method"])
        yield SeeFewerFinding(
            "see_fewer",
            method,
            float(runs.loc[runs["method"] == method, SEEN].mean()),
            str(row["to_full"]),
            _known(row["full_difference"]),
            _known(seconds[method]),
            _known(seconds.get(FULL, math.nan)),
        )


def _learned(table: pd.DataFrame, against: AgainstChance | None) -> list[bool]:
    """Whether the models of each subset beat chance, as far as that is known.

    Only computed for candidates: subsets close to the full set, or all if none is compared with it.
    """
    without_full = bool((table["to_full"] == NOT_COMPARED).all())
    asked = table["to_full"].isin(NEAR) | without_full
    return [
        not (against and ask and against.is_unlearned(str(method), float(fraction)))
        for method, fraction, ask in zip(table["method"], table["fraction"], asked, strict=True)
    ]


def _answer(table: pd.DataFrame, full_images: int | None, most_images: int) -> Answer:
    """What to keep and why, if something was learned.

    full_images: None if the full set was not trained. most_images: the most that a run was given.
    """
    good = table[_good_enough(table)]
    if good.empty and full_images is not None:
        kept = Kept(FULL, 1.0, seed=0, images=full_images)
        return "keep_all", kept, _why_all(table)
    if not table["learned"].any():  # but a training on all images that sees fewer of them has
        kept = Kept(FULL, 1.0, seed=0, images=most_images)
        return "keep_all", kept, (Finding("nothing_tried" if table.empty else "none_learned"),)
    if good.empty:
        pool = table[table["learned"]]
        chosen = _best_of(pool[pool["images"] == pool["images"].max()])
        is_largest = chosen["images"] == table["images"].max()
        open_size = Finding("full_set_not_trained", but_for=() if is_largest else ("not_learned",))
        return "keep_largest", _kept(chosen), (_over_all_sizes(table), open_size)
    chosen = _best_of(_smallest(good))
    shown: FindingKind = "equivalent" if chosen["to_full"] == EQUIVALENT else "not_worse"
    against_full = Finding(shown, _subset(chosen))
    findings: tuple[Finding, ...] = (against_full, *_at_its_size(table, chosen))
    return "keep_subset", _kept(chosen), findings


def _good_enough(table: pd.DataFrame) -> pd.Series:
    return table["to_full"].isin(GOOD_ENOUGH) & (table["verdict"] != WORSE) & table["learned"]


def _smallest(good: pd.DataFrame) -> pd.DataFrame:
    """The subsets of the fewest images; if images are encoded, those of the fewest bytes.

    Subsets of as many images in the same encoding count as one size.
    """
    if "bytes" not in good or good["bytes"].isna().all():
        return good[good["images"] == good["images"].min()]
    least = good.sort_values("bytes", kind="stable").iloc[0]
    return good[(good["images"] == least["images"]) & (good["encoding"] == least["encoding"])]


def _best_of(pool: pd.DataFrame) -> pd.Series:
    """The subset to keep among those of one size."""
    better = pool[pool["verdict"] == BETTER]
    if not better.empty:
        metric = str(better["metric"].iloc[0])
        return better.sort_values(metric, ascending=False, kind="stable").iloc[0]
    random = pool[pool["method"].map(is_reference)]
    return (pool.sort_values("method") if random.empty else random).iloc[0]


def _why_all(table: pd.DataFrame) -> tuple[Finding, ...]:
    """Why all images are kept, and whether choosing pays for smaller sets."""
    if table.empty:
        return (Finding("nothing_tried"),)
    compared = table[table["to_full"] != NOT_COMPARED]
    if compared.empty:
        return (Finding("no_shared_seeds"),)
    compared = compared[compared["learned"]]
    if compared.empty:
        return (Finding("none_learned"),)
    return _not_good_enough(table, compared), _over_all_sizes(table)


def _not_good_enough(table: pd.DataFrame, compared: pd.DataFrame) -> Finding:
    """Why none of the subsets that learned and are compared with the full set is recommended."""
    nearest = _subset(compared.sort_values("full_difference", kind="stable").iloc[-1])
    unsure = compared[compared["to_full"] == TOO_FEW_IMAGES]
    if (compared["to_full"] == TOO_FEW).all():
        return Finding("too_few_seeds", nearest, _fewest_and_most(compared["full_pairs"]))
    if not unsure.empty:
        smallest = unsure.sort_values("images", kind="stable").iloc[0]
        return Finding("too_few_test_images", _subset(smallest))
    is_worse = compared["to_full"].isin(GOOD_ENOUGH).any()
    return Finding(
        "none_good_enough",
        nearest,
        but_for=(
            *(("worse_than_random",) if is_worse else ()),
            *(() if table["learned"].all() else ("not_learned",)),
        ),
    )


def _at_its_size(table: pd.DataFrame, chosen: pd.Series) -> Iterator[Finding]:
    """How the chosen subset compares with random at its size; nothing for all images."""
    if chosen["fraction"] < 1:
        yield _against_its_size(table, chosen)


def _against_its_size(table: pd.DataFrame, chosen: pd.Series) -> Finding:
    if not is_reference(chosen["method"]):
        kind: dict[str, FindingKind] = {
            BETTER: "better_than_random",
            NOT_COMPARED: "not_compared_with_random",
            TOO_FEW: "too_few_seeds_against_random",
        }
        found = kind.get(chosen["verdict"], "indistinguishable_from_random")
        return Finding(found, _subset(chosen))
    is_here = (table["fraction"] == chosen["fraction"]) & (
        table["method"].map(reference_of) == chosen["method"]
    )
    others = table[is_here & (table["verdict"] != NOT_COMPARED)]
    better = others[others["verdict"] == BETTER]
    if others.empty:
        return Finding("no_method_compared_here")
    if not better.empty:
        best = better.sort_values("difference", kind="stable").iloc[-1]
        return Finding("other_method_better_here", _subset(best))
    if (others["verdict"] == TOO_FEW).any():
        return Finding("too_few_seeds_here")
    return Finding("random_enough_here")


def _over_all_sizes(table: pd.DataFrame) -> Finding:
    """The result of the comparisons with random, over all sizes."""
    compared = table[table["verdict"] != NOT_COMPARED]
    if compared.empty:
        return Finding("no_method_compared")
    better = compared[compared["verdict"] == BETTER]
    best = _subset((compared if better.empty else better).sort_values("difference").iloc[-1])
    if not better.empty:
        return Finding("choosing_pays", best)
    if (compared["verdict"] == TOO_FEW).any():
        return Finding("too_few_seeds_to_beat_random", best, _fewest_and_most(compared["pairs"]))
    return Finding("random_enough", best)


def _left_out(table: pd.DataFrame, against: AgainstChance) -> tuple[Chance, ...]:
    """The models of the subsets that are not candidates because they do not beat chance."""
    unlearned = table.loc[~table["learned"], ["method", "fraction"]]
    found = (against.of(*subset) for subset in unlearned.itertuples(index=False, name=None))
    return tuple(chance for chance in found if chance)


def _cautions(against: AgainstChance, kept: Kept) -> tuple[Caution, ...]:
    """Problems of the models of all images, of the kept subset, and of random."""
    names = kept.method, reference_of(kept.method)
    chosen, random = (against.of(method, kept.fraction) for method in names)
    found = list(_odd_classes(against.of_all)) if against.of_all else []
    for chance in (against.of_all, chosen, random):
        if chance and chance.one_answer:
            model = Subset(chance.method, chance.fraction), chance.trained_on
            found.append(Caution("runs_with_one_answer", *model, chance.one_answer, of=chance.runs))
    return tuple(dict.fromkeys(found))


def _odd_classes(chance: Chance) -> Iterator[Caution]:
    model = Subset(chance.method, chance.fraction), chance.trained_on
    never, guessed = chance.never, chance.guessed
    if never:
        yield Caution("classes_never_answered", *model, len(never), chance.classes, never)
    if guessed:
        yield Caution("classes_guessed", *model, len(guessed), chance.classes, guessed)


def _uncertainty(
    table: pd.DataFrame, kind: Kind, findings: Sequence[Finding], uncertainties: Uncertainties
) -> Uncertainty | None:
    """The uncertainty of the comparison that the first finding rests on."""
    subset = next((finding.subset for finding in findings if finding.subset), None)
    if subset is None:
        return None
    is_cited = (table["method"] == subset.method) & (table["fraction"] == subset.fraction)
    return uncertainties.of(table[is_cited].iloc[0], "random" if kind == "keep_largest" else "full")


# ---------------------------------------------------------------------- from tables to records


def _subset(row: pd.Series) -> Subset:
    return Subset(str(row["method"]), float(row["fraction"]))


def _kept(row: pd.Series) -> Kept:
    return Kept(str(row["method"]), float(row["fraction"]), seed=0, images=int(row["images"]))


def _fewest_and_most(pairs: pd.Series) -> tuple[int, int]:
    return int(pairs.min()), int(pairs.max())


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _look(value: float) -> int | None:
    return None if math.isnan(value) else int(value)


def _bounds(low: float, high: float) -> Bounds | None:
    return None if math.isnan(low) or math.isnan(high) else (float(low), float(high))


def _comparison(row: pd.Series) -> Comparison:
    return Comparison(
        method=str(row["method"]),
        fraction=float(row["fraction"]),
        share=_known(row["share"]),
        images=int(row["images"]),
        random=None if row["verdict"] == NOT_COMPARED else _against_random(row),
        full=None if row["to_full"] == NOT_COMPARED else _against_full(row),
    )


def _against_random(row: pd.Series) -> AgainstRandom:
    return AgainstRandom(
        pairs=int(row["pairs"]),
        verdict=str(row["verdict"]),
        difference=Difference(
            float(row["difference"]),
            CONFIDENCE,
            _bounds(row["low"], row["high"]),
            _bounds(row["new_images_low"], row["new_images_high"]),
        ),
        p_value=float(row["p_value"]),
        p_adjusted=float(row["p_adjusted"]),
        p_better=_known(row["p_better"]),
        smallest_effect=_known(row["smallest_effect"]),
        worth=row["multiplier_text"] or None,
        look=_look(row["look"]),
    )


def _against_full(row: pd.Series) -> AgainstFull:
    return AgainstFull(
        pairs=int(row["full_pairs"]),
        verdict=str(row["to_full"]),
        difference=Difference(
            float(row["full_difference"]),
            EQUIVALENCE_CONFIDENCE,
            _bounds(row["full_low"], row["full_high"]),
            _bounds(row["full_new_images_low"], row["full_new_images_high"]),
        ),
        loss_p=_known(row["full_loss_p_adjusted"]),
        loss_p_images=_known(row["full_new_images_loss_p_adjusted"]),
        look=_look(row["full_look"]),
    )


def _basis(table: pd.DataFrame, runs: pd.DataFrame, looks: Looks | None, seen: Seen) -> Basis:
    images, needed, least = (
        _known(float(table[column].max()))
        for column in ("test_images", "test_images_needed", "least_tolerance")
    )
    return Basis(
        test_images=None if images is None else int(images),
        test_images_needed=None if needed is None else int(needed),
        least_tolerance=least,
        floor=_floor(table[table["verdict"] != NOT_COMPARED], looks),
        pool_share=_pool_share(runs),
        looks=looks,
        seen=seen,
    )


def _pool_share(runs: pd.DataFrame) -> float | None:
    """The share of the training images that each seed selects from; None if it is all."""
    if "pool_images" not in runs or "share" not in runs:
        return None
    return _known(float((runs["pool_images"] * runs["share"] / runs["images"]).mean()))


def _floor(compared: pd.DataFrame, looks: Looks | None) -> Floor | None:
    """The smallest adjusted p that the seeds can give, if it is too large to decide."""
    if compared.empty:
        return None
    least = compared["least_p_adjusted"]
    if least.max() <= ALPHA:
        return None
    seeds = looks.seeds[-1] if looks else int(compared["pairs"].iloc[int(least.argmax())])
    return Floor(seeds, float(least.max()), seeds_needed(len(compared), looks))


def _curve(curve: LearningCurve, tolerance: float) -> Curve:
    a, b, c = curve.parameters() or (None, None, None)
    return Curve(
        form=curve.form,
        sizes=len(curve.sizes),
        a=a,
        b=b,
        c=c,
        worst_miss=curve.worst_miss,
        last_left_out=curve.last_left_out(),
        sufficient=curve.sufficient(tolerance),
    )
