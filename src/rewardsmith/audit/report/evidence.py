"""The middle of the report: length, sources, margins, calibration, votes, learning curves."""

from __future__ import annotations

import numpy as np

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.certainty.calibration import ProbabilityScores
from rewardsmith.audit.evaluation import Evaluation
from rewardsmith.audit.heldout.training_curves import Series
from rewardsmith.figures import plots
from rewardsmith.figures.pieces import Callout, Picture, Piece, Prose, Section, Table
from rewardsmith.figures.wording import Cell


def evidence_sections(evaluation: Evaluation) -> tuple[Section, ...]:
    """One section a part; a part that was not measured gives its reason."""
    return (
        _lengths(evaluation),
        *_sources(evaluation),
        _margins(evaluation),
        _calibration(evaluation),
        _disagreement(evaluation),
        _training(evaluation),
        _labels(evaluation),
    )


def _lengths(evaluation: Evaluation) -> Section:
    lengths, pooled = evaluation.lengths, evaluation.accuracy.estimate
    strata = {
        "all pairs": pooled,
        "chosen is longer": lengths.longer,
        "about equally long": lengths.matched,
        "chosen is shorter": lengths.shorter,
    }
    rows: tuple[tuple[Cell, ...], ...] = tuple((name, part, part.n) for name, part in strata.items())
    svg = plots.bars(
        strata,
        title="Accuracy by which answer is longer",
        x_label="pairs ordered as the raters did",
        references={"coin": 0.5},
    )
    return Section(
        "Length",
        (
            Table(("pairs", "accuracy", "pairs in it"), rows, percent=True),
            Picture(
                svg,
                "A model that reads does well in all rows; one that measures fails where the other answer is longer.",
            ),
            Table(
                ("what", "Spearman correlation"),
                (("reward difference and length difference (each pair in both orders)", lengths.correlation),),
            ),
        ),
        intro="Does it read the answers, or measure them? Longer means more than 10% more characters; shorter, fewer.",
    )


def _sources(evaluation: Evaluation) -> tuple[Section, ...]:
    if len(evaluation.sources) < 2:
        return ()
    floors = {floor.name: floor.estimate for floor in evaluation.floors}
    rows: list[tuple[Cell, ...]] = [
        (source.name, source.accuracy, source.longer, source.words, source.words_alone, source.accuracy.n)
        for source in evaluation.sources
    ]
    pooled = evaluation.accuracy.estimate
    rows.append(("all together", pooled, floors["longer wins"], floors["bag of words"], None, pooled.n))
    columns = ("source", "this model", "longer wins", "bag of words", "bag of words of this source alone", "pairs")
    bars = {"all together": pooled, **{source.name: source.accuracy for source in evaluation.sources}}
    svg = plots.bars(
        bars, title="Accuracy by source", x_label="pairs ordered as the raters did", references={"coin": 0.5}
    )
    pieces: list[Piece] = [
        Table(columns, tuple(rows), percent=True),
        Picture(svg),
    ]
    conflict = evaluation.conflict
    if isinstance(conflict, Absent):
        pieces.append(Prose(f"Whether the sources contradict each other was not measured. {conflict.reason}"))
    else:
        tastes: tuple[tuple[Cell, ...], ...] = tuple((taste.source, taste.longer) for taste in conflict.lengths)
        transfers: tuple[tuple[Cell, ...], ...] = tuple(
            (transfer.fitted_on, transfer.judged_on, transfer.accuracy) for transfer in conflict.transfers
        )
        pieces += [
            Table(
                ("source", "the longer answer wins"), tastes, percent=True,
                caption="Over all pairs that were given, held-out and training ones:",
            ),
            Table(
                ("words learnt from", "judged on", "accuracy"), transfers, percent=True,
                caption="Below 50%: the words that win in the one lose in the other.",
            ),
        ]  # fmt: skip
    return (Section("Sources", tuple(pieces), intro="Do they want the same thing?"),)


def _margins(evaluation: Evaluation) -> Section:
    margins = np.array([pair.margin for pair in evaluation.pairs if not pair.tie], dtype=np.float64)
    svg = plots.histogram(
        {"held out": margins},
        title="Margins",
        x_label="reward of the chosen minus reward of the rejected answer",
        zero_line=True,
    )
    health = evaluation.health
    rows: tuple[tuple[Cell, ...], ...] = (
        ("mean margin", evaluation.margins.mean),
        ("mean reward", health.mean),
        ("standard deviation of the rewards", health.deviation),
        ("lowest reward", health.lowest),
        ("highest reward", health.highest),
    )
    caption = "Left of the line the model prefers the answer that the raters rejected."
    return Section("Margins", (Picture(svg, caption), Table(("what", "value"), rows)))


def _calibration(evaluation: Evaluation) -> Section:
    title, part = "Calibration", evaluation.calibration
    if isinstance(part, Absent):
        return Section(title, (Prose(f"Not measured. {part.reason}"),))

    def row(name: str, scores: ProbabilityScores) -> tuple[Cell, ...]:
        return (name, scores.nll_nats, scores.brier, scores.ece)

    rows = (
        row("margins as they are", part.before),
        row("divided by the temperature", part.after),
        ("always one half", 0.6931, 0.25, None),
    )
    note = (
        "The temperature is fitted on one half of the held-out prompt groups and judged on the other, and the other "
        f"way round: {part.half_temperatures[0]:.2f} and {part.half_temperatures[1]:.2f}; on all of them "
        f"{part.temperature:.2f}. "
        "The calibration error is above 0 by chance alone, so compare it between models on the same pairs, not with 0."
    )
    svg = plots.reliability_diagram(part.before.bins, part.after.bins)
    columns = ("", "negative log-likelihood (nats)", "Brier score", "calibration error")
    return Section(
        title,
        (
            Table(columns, rows),
            Picture(
                svg,
                "Each pair counts once in each order, hence the symmetry. Below the diagonal on the right: too sure.",
            ),
            Prose(note),
        ),
        intro="Does σ(margin) mean what it says? Judged as a probability that the raters prefer the chosen answer.",
    )


def _disagreement(evaluation: Evaluation) -> Section:
    title, part = "Disagreement", evaluation.disagreement
    if isinstance(part, Absent):
        return Section(title, (Prose(f"Not measured. {part.reason}"),))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (_share(entry.low, entry.high), entry.margin, entry.margin.n) for entry in part.bins
    )
    bars = {_share(entry.low, entry.high): entry.margin for entry in part.bins}
    svg = plots.bars(bars, title="Mean margin by agreement of the raters", x_label="mean margin", percent=False)
    return Section(
        title,
        (
            Table(("votes for the chosen answer", "mean margin", "pairs"), rows),
            Picture(svg),
            Table(("what", "Spearman correlation"), (("margin and share of the votes", part.correlation),)),
        ),
        intro="Does the model doubt where people doubt?",
    )


def _training(evaluation: Evaluation) -> Section:
    part = evaluation.training
    if isinstance(part, Absent):
        return Section("Training", (Prose(f"Not shown. {part.reason}"),))
    loss = {"training batches": _curve(part.loss), "held out": _curve(part.heldout_loss)}
    accuracy = {"training batches": _curve(part.accuracy), "held out": _curve(part.heldout_accuracy)}
    return Section(
        "Training",
        (
            Picture(plots.curves(loss, title="Loss", x_label="optimiser step", y_label="loss (nats)")),
            Picture(plots.curves(accuracy, title="Accuracy", x_label="optimiser step", y_label="accuracy")),
        ),
    )


def _labels(evaluation: Evaluation) -> Section:
    title, part = "More labels?", evaluation.label_curve
    if isinstance(part, Absent):
        return Section(title, (Prose(f"Not measured. {part.reason}"),))
    points = [point.accuracy for point in part.points]
    curve = plots.Curve(
        x=[point.pairs for point in part.points],
        y=[point.value for point in points],
        low=[point.low for point in points],
        high=[point.high for point in points],
    )
    svg = plots.curves(
        {"probe": curve},
        title="Accuracy over the number of labels",
        x_label="training pairs",
        y_label="held-out accuracy",
        references={"coin": 0.5},
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (f"{point.pairs:,.0f}", point.accuracy, point.spread or None) for point in part.points
    )
    limited = (
        f" A sample of {part.points[-1].pairs:,.0f} pairs out of {part.limited_from:,} preferences was used."
        if part.limited_from
        else ""
    )
    note = (
        f"A linear Bradley–Terry probe on {part.features} features, fitted on nested samples of the training groups "
        f"and judged on the held-out pairs.{limited} It is not the model: it shows whether more data still add."
    )
    finding = next(finding for finding in evaluation.findings if finding.name == "labels.gain")
    columns = ("training pairs", "held-out accuracy", "spread between samples")
    return Section(
        title,
        (Callout("info", finding.summary, part.reading), Picture(svg), Table(columns, rows, percent=True), Prose(note)),
    )


def _share(low: float, high: float) -> str:
    return f"{low:.0%}" if low == high else f"{low:.0%} to {high:.0%}"


def _curve(series: Series) -> plots.Curve:
    return plots.Curve(x=series.steps, y=series.values)
