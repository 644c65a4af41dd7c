"""Whether it is worth labelling on, in words. Advice only: no criterion is best everywhere (Pullar-Strecker et al. 2022)."""

from collections.abc import Sequence

from annotation.learning_curve import FEWEST_SIZES, Forecast
from annotation.stability import Agreement, Noise, Stability
from maner_core.evaluation import FEWEST_SENTENCES

NEXT = (50, 200)
"""Further labels that are forecast."""
WORTH = 0.01
"""F1 that the last of NEXT must be sure to add, or sure not to add, for a clear word."""


def advice(forecasts: Sequence[Forecast], n_sizes: int, n_sentences: int) -> str:
    """One sentence on the value of the next labels, or on what is missing to tell it.

    `n_sizes` are the different numbers of labels that were trained on, `n_sentences` the labelled evaluation sentences.
    """
    if n_sentences < FEWEST_SENTENCES:
        return (
            f"What more labels are worth can be told from {FEWEST_SENTENCES} labelled evaluation sentences on; there "
            f"{_is(n_sentences)} {n_sentences} so far."
        )
    if not forecasts:
        return (
            f"What more labels are worth can be told from {FEWEST_SIZES} trainings on different numbers of labels, measured "
            f"on the same evaluation sentences; there {_is(n_sizes)} {n_sizes} so far."
        )
    far = forecasts[-1]
    if far.high < WORTH:
        verdict = "More labels of this kind add little"
    elif far.low >= WORTH:
        verdict = "It is worth labelling on"
    else:
        verdict = "It cannot be told yet whether more labels add much"
    return f"{verdict}: {', '.join(map(_gain, forecasts))}."


def change(stability: Stability, measured_at: int | None = None) -> str:
    """One sentence on how much the tagger still changes; "" before two runs can be compared.

    `measured_at` are the labels at which the chance in trainings is measured by itself next; None: it is not.
    """
    step, noise = stability.step, stability.noise
    if step is None:
        return ""
    said = (
        f"In {step.sentences} unlabelled sentences, runs {step.before} and {step.after} find the same names "
        f"by {_percent(step)} (F1)"
    )
    if noise is None:
        when = "" if measured_at is None else f" (it is by itself, from {measured_at} labels on)"
        return f"{said}; how far two trainings on the same labels differ is not measured yet{when}."
    learned = "still changed it" if step.f1 < noise.f1 else "changed no more than chance does"
    return f"{said}, two trainings on the same {noise.labels} labels by {_percent(noise)}: the last labels {learned}."


def _is(n: int) -> str:
    return "is" if n == 1 else "are"


def _gain(forecast: Forecast) -> str:
    return (
        f"the next {forecast.labels} are expected to add {100 * forecast.gain:+.1f} F1 points "
        f"(95 %: {100 * forecast.low:+.1f} to {100 * forecast.high:+.1f})"
    )


def _percent(agreement: Agreement | Noise) -> str:
    return f"{100 * agreement.f1:.0f} %"
