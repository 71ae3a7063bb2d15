from __future__ import annotations

import pytest

from musr_cli.audio.resampling import MINUS_1_DB, MINUS_12_DB
from musr_cli.dsp.band_edge import BandEdge
from musr_cli.engine.decisions import Choice, Edge, Rates, choose_network, choose_rates, find_edge, work_rate
from musr_cli.errors import UnavailableError, UsageError
from musr_models import registry
from musr_models.checkpoint import Card, build, save_checkpoint
from musr_models.contract import Band, ModelError

SIZE = {"widths": [4, 4, 4, 4]}
ZOO = (
    *(Card(f"gan-x{n}-16k", "gan", "dnn", sample_rates=(16000,), ratio=n) for n in (2, 4)),
    *(Card(f"gan-x{n}-48k", "gan", "dnn", sample_rates=(44100, 48000), ratio=n) for n in (2, 4)),
    Card("any", "any", "dnn"),
)


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> tuple[Card, ...]:
    """One family with four variants, and one model for everything."""
    folder = tmp_path_factory.mktemp("weights")
    return tuple(save_checkpoint(folder, build("dnn", SIZE), card) for card in ZOO)


@pytest.fixture(autouse=True)
def zoo(monkeypatch: pytest.MonkeyPatch, cards: tuple[Card, ...]) -> None:
    monkeypatch.setattr(registry, "cards", lambda: cards)


def full(rate: int) -> BandEdge:
    return BandEdge(rate / 2, rate / 2, 0.9, full_band=True)


def edge_at(cutoff_hz: float, slope_hz: float | None = None) -> BandEdge:
    return BandEdge(cutoff_hz, slope_hz or 0.9 * cutoff_hz, 0.9, full_band=False)


# --- rates ---


@pytest.mark.parametrize(
    ("output", "work"),
    [(8000, 8000), (44100, 44100), (48000, 48000), (96000, 48000), (88200, 44100), (176400, 44100), (192000, 48000)],
)
def test_above_48_khz_the_band_is_made_at_a_rate_that_divides_well(output: int, work: int) -> None:
    assert work_rate(output) == work


@pytest.mark.parametrize(
    ("output", "known", "work"),
    [(48000, {44100}, 44100), (96000, {44100}, 44100), (44100, {48000}, 44100), (48000, {16000}, 48000)],
)
def test_a_network_of_one_rate_works_below_the_output(output: int, known: set[int], work: int) -> None:
    assert work_rate(output, known) == work


@pytest.mark.parametrize(
    ("rate", "ratio", "wish", "model", "output"),
    [
        (22050, 2, None, "gan", 44100),
        (22050, None, 48000, "gan", 48000),
        (44100, 1, None, "any", 44100),
        (16000, 1.5, None, "any", 24000),
        (16000, None, None, "any", 44100),
        (48000, None, None, "any", 48000),
        (96000, None, None, "any", 96000),
        # the only ratio that its rate allows
        (8000, None, None, "gan", 16000),
        (4000, None, None, "gan", 16000),
        (22050, None, None, "gan", 44100),
        (11025, None, None, "gan", 44100),
        (24000, None, None, "gan", 48000),
        (8000, None, None, "linear", 44100),
    ],
)
def test_output_rates(rate: int, ratio: float | None, wish: int | None, model: str, output: int) -> None:
    assert choose_rates(rate, ratio, wish, model) == Rates(rate, output, work_rate(output))


@pytest.mark.parametrize(
    ("rate", "ratio", "wish", "told"),
    [
        (44100, 0.5, None, "--ratio 0.5"),
        (44100, float("nan"), None, "--ratio nan"),
        (44100, float("inf"), None, "--ratio inf"),
        (44100, -2, None, "--ratio -2"),
        (44100, None, 22050, "--rate 22050"),
        (22050, 2, 44100, "--ratio and --rate"),
        # nothing starts from 32 kHz, and 44.1 kHz only if less is in it
        (32000, None, None, "add --ratio or --rate"),
        (44100, None, None, "--rate 44100"),
    ],
)
def test_rates_that_leave_no_or_two_answers_are_refused(
    rate: int, ratio: float | None, wish: int | None, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        choose_rates(rate, ratio, wish, "gan")


def test_an_unknown_model_has_a_suggestion() -> None:
    with pytest.raises(ModelError, match="did you mean 'gan'"):
        choose_rates(44100, None, None, "gann")


# --- edges ---

SAME = Rates(44100, 44100, 44100)
TWICE = Rates(22050, 44100, 44100)
HIGH = Rates(96000, 96000, 48000)


def test_a_measured_edge_is_the_edge() -> None:
    assert find_edge(edge_at(8000, 7000), "auto", SAME) == Edge(8000, 7000, 8000)
    assert find_edge(edge_at(8000, 7000), "auto", TWICE) == Edge(8000, 7000, 8000)
    assert find_edge(edge_at(16000, 15500), "auto", HIGH) == Edge(16000, 15500, 16000)


def test_a_full_band_ends_where_the_resampler_does() -> None:
    resampler = Edge(MINUS_12_DB * 11025, MINUS_1_DB * 11025, 11025)
    assert find_edge(full(22050), "auto", TWICE) == resampler
    # so near its Nyquist frequency that it counts as full, but its slope begins earlier
    near = find_edge(edge_at(10550, 10000), "auto", TWICE)
    assert near == Edge(resampler.cutoff_hz, 10000, 11025)


@pytest.mark.parametrize(("confidence", "expected"), [(0.95, 3265.0), (0.6, 3500.0)])
def test_an_unsure_edge_near_the_nyquist_frequency_is_none(confidence: float, expected: float) -> None:
    edge = find_edge(BandEdge(3265.0, 2900.0, confidence, full_band=False), "auto", Rates(7000, 44100, 44100))
    assert edge is not None
    assert edge.nominal_hz == expected
    assert edge.slope_hz == pytest.approx(2900.0 if confidence > 0.9 else 3500.0, rel=0.1)


def test_a_tone_is_no_band_edge() -> None:
    assert find_edge(edge_at(440), "auto", TWICE) == find_edge(full(22050), "auto", TWICE)
    assert find_edge(edge_at(440), "auto", SAME) is None


@pytest.mark.parametrize(
    ("measured", "rates"),
    [
        (full(44100), SAME),
        (edge_at(20400), SAME),
        (edge_at(21500), SAME),
        (full(96000), HIGH),
        (edge_at(20400), HIGH),
        (full(44100), Rates(44100, 48000, 48000)),
        (full(16000), Rates(16000, 16000, 16000)),
    ],
)
def test_where_nothing_is_missing_there_is_no_edge(measured: BandEdge, rates: Rates) -> None:
    assert find_edge(measured, "auto", rates) is None


def test_an_explicit_edge_counts_and_takes_its_slope_from_a_measurement_that_agrees() -> None:
    assert find_edge(edge_at(8100, 7000), 8000, SAME) == Edge(8000, 7000, 8000)
    assert find_edge(edge_at(12000, 11000), 8000, SAME) == Edge(8000, 7600, 8000)
    assert find_edge(BandEdge(8100, 2600, 0.3, full_band=False), 8000, SAME) == Edge(8000, 7600, 8000)
    assert find_edge(full(44100), 20500, SAME) == Edge(20500, 0.95 * 20500, 20500)
    assert find_edge(full(22050), 11025, TWICE) == find_edge(full(22050), "auto", TWICE)
    assert find_edge(full(44100), 22050, SAME) is None


@pytest.mark.parametrize("cutoff_hz", [0, -1, 22051, float("nan")])
def test_an_edge_beyond_the_input_is_refused(cutoff_hz: float) -> None:
    with pytest.raises(UsageError, match="--cutoff"):
        find_edge(full(44100), cutoff_hz, SAME)


# --- networks ---


def choose(model: str, measured: BandEdge, rates: Rates, cutoff: float | None = None) -> Choice | None:
    edge = find_edge(measured, "auto" if cutoff is None else cutoff, rates)
    return choose_network(model, edge, rates, is_explicit=cutoff is not None)


@pytest.mark.parametrize(
    ("model", "measured", "rates", "cutoff", "band_hz", "warns"),
    [
        # the ratio of the rates
        ("gan", full(22050), TWICE, None, 11025, False),
        ("gan-x2-48k", full(22050), TWICE, None, 11025, False),
        ("gan", full(11025), Rates(11025, 44100, 44100), None, 5512.5, False),
        # a lossy file at 22.05 kHz: still the network of the ratio, and a word about it
        ("gan", edge_at(9800), TWICE, None, 11025, True),
        ("gan", edge_at(10700), TWICE, None, 11025, False),
        # the edge, where the rate stays or its ratio has no variant
        ("gan", edge_at(10900), SAME, None, 10900, False),
        ("gan", edge_at(5500), SAME, None, 5500, False),
        ("gan", edge_at(11000), Rates(32000, 44100, 44100), None, 11000, False),
        # the edge that the user names comes before the rates
        ("gan", full(22050), TWICE, 5512, 5512, False),
        ("gan", full(22050), TWICE, 9800, 11025, True),
        # made for everything
        ("any", edge_at(9800), TWICE, None, 9800, False),
        ("any", full(22050), TWICE, None, 11025, False),
        ("any", edge_at(16000), HIGH, None, 16000, False),
        ("linear", edge_at(16000), HIGH, None, 16000, False),
        # interpolations take the samples that there were, spectral networks the edge that there is
        ("linear", full(22050), TWICE, None, 11025, False),
        ("sbr", full(22050), TWICE, None, MINUS_12_DB * 11025, False),
    ],
)
def test_networks_are_chosen_by_ratio_or_edge(
    model: str, measured: BandEdge, rates: Rates, cutoff: float | None, band_hz: float, warns: bool
) -> None:
    choice = choose(model, measured, rates, cutoff)
    assert choice is not None
    assert choice.band == Band(rates.work, band_hz)
    assert bool(choice.warning) == warns


@pytest.mark.parametrize(
    ("model", "measured", "rates", "told"),
    [
        ("gan", edge_at(8000), SAME, "×2.76"),
        ("gan-x4-48k", edge_at(11000), SAME, "×4"),
        ("gan", full(16000), Rates(16000, 48000, 48000), "×3"),
        ("gan", full(44100), Rates(44100, 88200, 44100), "×1"),
    ],
)
def test_a_missing_variant_is_refused_with_what_would_do(
    model: str, measured: BandEdge, rates: Rates, told: str
) -> None:
    with pytest.raises(UnavailableError, match=told) as refusal:
        choose(model, measured, rates)
    assert "any" in str(refusal.value)


def test_where_nothing_is_missing_there_is_no_network() -> None:
    assert choose("gan", full(44100), SAME) is None
    assert choose("any", full(44100), Rates(44100, 88200, 44100)) is None
