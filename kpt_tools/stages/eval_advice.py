"""What to do next, told from the numbers of an evaluation and of the training before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median

from kpt_tools.metrics.pck import CURVE_FRACTIONS
from kpt_tools.metrics.result import ClassResult, EvalResult, KeypointResult, percent
from kpt_tools.metrics.suspects import SuspectKind
from kpt_tools.report.learning_curve import LearningCurve
from kpt_tools.report.run_page import Hint
from kpt_tools.stages.best_checkpoint import FOLDER, Best

SMALL_AT_INPUT_PX = 32.0
FEW_OBJECTS = 100
_F1_GAIN = 0.02
_SWAPS = 0.05
_UNEVEN = 1.5
_FEW_LABELS = 50
_STILL_FALLING = -0.05
_LOOSE_BOXES = 0.75
_COARSE = 0.25
_LEARNED = 0.5
_OTHER_SCORE = 0.03
_FAR_SHARE, _RIGHT_SHARE = 0.15, 0.3
_WORSE = 0.02
_TEN_PERCENT = CURVE_FRACTIONS.index(0.1)


@dataclass(frozen=True)
class RunFacts:
    """What is known beside the numbers; all of it may be missing.

    Attributes:
        run: name of the run folder as it is typed in commands, or "".
        curve: of the training.
        validation: what was measured while training.
        best: the best checkpoint.
        labels: labelled training objects per keypoint label.
        suspicions: how often the truth looks wrong, by kind.
        sides_at_input: larger sides of the annotated boxes at the network's input, px.
        input_side: larger side of that input, px.
    """

    run: str = ""
    curve: LearningCurve | None = None
    validation: LearningCurve | None = None
    best: Best | None = None
    labels: Mapping[str, int] = field(default_factory=dict)
    suspicions: Mapping[SuspectKind, int] = field(default_factory=dict)
    sides_at_input: tuple[float, ...] = ()
    input_side: int = 0


def advice(result: EvalResult, facts: RunFacts) -> list[Hint]:
    """Hints, the most important first; none of them where the numbers give no reason."""
    if not result.box.ap50:
        return [_nothing_found(result, facts)]
    training = _best_before_end(facts) or list(_still_falling(facts))
    if result.box.ap50 < _LEARNED:
        return [_learned_little(result, facts), *_few_labels(result, facts), *_small(facts), *training]
    hints = [
        *_scores(result),
        *(hint for part in result.classes for hint in _swapped(part)),
        *_suspicions(facts),
        *_confused(result),
        *(hint for part in result.classes for hint in _elsewhere(part)),
        *(hint for part in result.classes for hint in _worst_keypoint(part, facts)),
        *_few_labels(result, facts),
        *_small(facts),
        *_coarse(result),
        *training,
        *_sample_size(result),
    ]
    rank = {"error": 0, "warning": 1, "info": 2}
    return sorted(hints, key=lambda hint: rank[hint.tone])


def _nothing_found(result: EvalResult, facts: RunFacts) -> Hint:
    if result.box.ap50 is None:
        text = "There is no object of the model's classes in these images. Measure on others."
        return Hint("error", "Nothing to find", text, "kpt-tools eval RUN --annotations TRUTH.json --images IMAGES")
    text = (
        "No box overlaps an object by half. Has the loss fallen? Are these images like those of the training? "
        "The pictures below show where boxes and points end up."
    )
    trained = f"kpt-tools train --run {facts.run} --steps MORE" if facts.run else ""
    return Hint("error", "The model finds nothing", text, trained)


def _learned_little(result: EvalResult, facts: RunFacts) -> Hint:
    found, objects = (sum(getattr(part, name) for part in result.classes) for name in ("matched", "objects"))
    text = (
        f"{found} of {objects} objects are overlapped by half at any score, and box AP50 is {result.box.ap50:.2f}. "
        "Before anything finer is worth a look: more steps, and a start from a pretrained model if there is one."
    )
    steps = 2 * facts.curve.steps[-1] if facts.curve and facts.curve.steps else 0
    command = f"kpt-tools train {facts.run}/pipeline.config --run {facts.run} --steps {steps}"
    return Hint("error", "The model has learned little yet", text, command if facts.run and steps else "")


def _scores(result: EvalResult) -> Iterator[Hint]:
    """Missed objects and false detections at the score that `infer` shows, and whether another score is better."""
    shown = result.confusion
    for index, (part, missed, made_up) in enumerate(zip(result.classes, shown.missed, shown.made_up, strict=True)):
        right = shown.matrix[index][index]
        if not part.objects or not missed + made_up or part.best_score is None:
            continue
        found = (
            f"From score {shown.min_score:g} up, as kpt-tools infer shows it, {missed} of {part.objects} objects are "
            f"missed and {made_up} of {right + made_up} detections have no object of their own. "
        )
        best = part.best_score
        gain = best.f1 - 2 * right / (2 * right + missed + made_up)
        if gain >= _F1_GAIN and abs(best.score - shown.min_score) >= _OTHER_SCORE:
            better = (
                f"From {best.score:.2f} up, {percent(best.recall)} are found and {percent(best.precision)} are right."
            )
            command = f"kpt-tools infer --min-score {_rounded_down(best.score):.2f} ..."
            yield Hint("warning", f"{part.name}: another score is better", found + better, command)
        else:
            weak = missed - (part.objects - part.matched)
            advised = f"{weak} of the missed ones are found with lower scores. " if weak > 0 else ""
            advised += "Images of empty places (make-tfrecord --keep-empty) teach what is none." if made_up else ""
            yield Hint("warning" if missed else "info", f"{part.name}: missed and false detections", found + advised)


def _rounded_down(score: float) -> float:
    return int(score * 100) / 100


def _swapped(part: ClassResult) -> Iterator[Hint]:
    worst = max(part.swaps, key=lambda pair: pair.rate or 0.0, default=None)
    if worst is None or worst.rate is None or worst.rate < _SWAPS or worst.swapped < 2:
        return
    text = (
        f"In {worst.swapped} of {worst.looked_at} objects, {worst.names[0]} and {worst.names[1]} are predicted the "
        f"wrong way round ({part.swapped} of {part.swap_pairs} pairs in all). Are left and right annotated the same "
        "way everywhere, and are the flip pairs right? Where both sides look alike, only more pictures help."
    )
    yield Hint("warning", f"{part.name}: left and right are mixed up", text, "kpt-tools check --html check.html")


def _suspicions(facts: RunFacts) -> Iterator[Hint]:
    told: dict[SuspectKind, str] = {
        "sides": "{} with left and right exchanged",
        "point": "{} with one point far away from where the model sees it",
        "unlabelled": "{} confident detections where nothing is annotated",
    }
    found = [text.format(count) for kind, text in told.items() if (count := facts.suspicions.get(kind, 0))]
    if found:
        text = f"{'; '.join(found)}. The model or the annotation is wrong: look at the pictures below and decide."
        yield Hint("warning", "Is the truth right everywhere?", text)


def _confused(result: EvalResult) -> Iterator[Hint]:
    names, matrix = result.confusion.names, result.confusion.matrix
    mixed = [
        (matrix[i][j], names[i], names[j])
        for i in range(len(names))
        for j in range(len(names))
        if i != j and matrix[i][j]
    ]
    if mixed:
        count, truth, found = max(mixed)
        text = f"{count} times a {truth} is detected as {found}. More pictures of both, also together, tell them apart."
        yield Hint("warning", "Classes are confused", text)


def _elsewhere(part: ClassResult) -> Iterator[Hint]:
    """Keypoints that are either right or far away, with little between: taken for another part of the object."""
    far = {}
    for keypoint in part.keypoints:
        curve = keypoint.errors.curve
        if not curve or 1 - curve[-1] < _FAR_SHARE or curve[_TEN_PERCENT] < _RIGHT_SHARE:
            continue
        if curve[-1] - curve[_TEN_PERCENT] < (1 - curve[-1]) / 2:
            far[keypoint.name] = 1 - curve[-1]
    if far:
        worst = sorted(far, key=far.__getitem__, reverse=True)[:6]
        listed = ", ".join(f"{name} ({percent(far[name])})" for name in worst)
        text = (
            f"Right, or more than {percent(CURVE_FRACTIONS[-1])} of the box away, with little between: {listed}. They "
            "are taken for other parts of the object, as front for back; the pictures below show it. More steps and "
            "more pictures from every side help."
        )
        yield Hint("warning", f"{part.name}: points at the wrong end", text)


def _worst_keypoint(part: ClassResult, facts: RunFacts) -> Iterator[Hint]:
    ranked = sorted((k for k in part.keypoints if k.errors.p90_relative is not None), key=_p90, reverse=True)
    if len(ranked) < 2 or _p90(ranked[0]) < _UNEVEN * median(map(_p90, ranked[1:])):
        return
    worst, others = ranked[0], median(map(_p90, ranked[1:]))
    labels = facts.labels.get(worst.label)
    most = max((facts.labels.get(k.label, 0) for k in part.keypoints), default=0)
    known = "" if labels is None else f" It is labelled in {labels} training objects."
    if labels is not None and labels < most / 2:
        advised = f"The most labelled one has {most}: label it where it can be seen or guessed."
    else:
        advised = "Is it always put on the very same spot? A part without clear borders stays inexact."
    text = (
        f"A tenth of its predictions are more than {percent(_p90(worst))} of the box away "
        f"({worst.errors.p90_px or 0:.0f} px); for the other keypoints that is {percent(others)}.{known} {advised}"
    )
    yield Hint("info", f"{worst.name} is the least exact", text)


def _p90(keypoint: KeypointResult) -> float:
    return keypoint.errors.p90_relative or 0.0


def _few_labels(result: EvalResult, facts: RunFacts) -> Iterator[Hint]:
    labels = [keypoint.label for part in result.classes for keypoint in part.keypoints]
    few = {label: facts.labels[label] for label in labels if facts.labels.get(label, _FEW_LABELS) < _FEW_LABELS}
    if few:
        listed = ", ".join(f"{label} ({count})" for label, count in sorted(few.items(), key=lambda entry: entry[1])[:6])
        yield Hint(
            "warning", "Few labels", f"Labelled in fewer than {_FEW_LABELS} training objects: {listed}. Label more."
        )


def _small(facts: RunFacts) -> Iterator[Hint]:
    small = sum(side < SMALL_AT_INPUT_PX for side in facts.sides_at_input)
    larger = f"A template with a larger input than {facts.input_side} px sees more of them."
    if facts.sides_at_input and small >= 0.2 * len(facts.sides_at_input):
        text = (
            f"{small} of {len(facts.sides_at_input)} objects are smaller than {SMALL_AT_INPUT_PX:g} px at the "
            f"network's input; their points run into each other. {larger}"
        )
        yield Hint("warning", "Objects are small", text, "kpt-tools make-config --template ...")


def _coarse(result: EvalResult) -> Iterator[Hint]:
    """Found, but not exactly."""
    if result.box.ap50 and result.box.ap75 is not None and result.box.ap75 < _LOOSE_BOXES * result.box.ap50:
        text = f"Box AP50 is {result.box.ap50:.2f}, AP75 only {result.box.ap75:.2f}. Are all boxes drawn tightly?"
        yield Hint("info", "Boxes are found, but loose", text)
    for part in result.classes:
        near, far = (part.errors.pck[0], part.errors.pck[2]) if part.errors else (None, None)
        if near is not None and far is not None and far - near > _COARSE:
            text = (
                f"{percent(far)} of the points of {part.name} are within 20 % of the box, {percent(near)} within 5 %: "
                "the places are learned roughly. More steps come first, then more pictures, then a larger input."
            )
            yield Hint("info", f"{part.name}: points are rough", text)


def _best_before_end(facts: RunFacts) -> list[Hint]:
    """Whether a longer training made it worse."""
    last = facts.validation.last(facts.best.metric) if facts.validation and facts.best else None
    if facts.best is None or facts.validation is None or last is None or facts.best.value - last < _WORSE:
        return []
    text = (
        f"The best checkpoint had {facts.best.text} while training; at step {facts.validation.steps[-1]} it was "
        f"{last:.3f}. It is kept in the folder {FOLDER}. Fewer steps, stronger augmentation or more pictures help "
        "against learning by heart."
    )
    return [Hint("warning", "It was better before the end", text)]


def _still_falling(facts: RunFacts) -> Iterator[Hint]:
    trend = facts.curve.trend() if facts.curve else None
    if facts.curve is None or trend is None or trend > _STILL_FALLING:
        return
    steps = facts.curve.steps[-1]
    text = (
        f"It fell by {percent(-trend)} from the fourth to the last fifth of {steps} steps. A falling learning rate "
        "does a part of that; still, a longer training may well be better."
    )
    run = facts.run or "RUN"
    command = f"kpt-tools train {run}/pipeline.config --run {run}-longer --steps {2 * steps}"
    yield Hint("info", "The loss was still falling", text, command)


def _sample_size(result: EvalResult) -> Iterator[Hint]:
    objects = sum(part.objects for part in result.classes)
    if objects < FEW_OBJECTS:
        text = (
            f"{objects} objects were measured; one of them is {percent(1 / objects, 1)} of the result. Differences "
            "of some hundredths between runs are chance; measure on more before choosing by them."
        )
        yield Hint("info", "A small sample", text)
