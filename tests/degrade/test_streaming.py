from __future__ import annotations

import numpy as np
import pytest

from musr_cli import degrade
from musr_cli.degrade import FAMILIES, RESAMPLE, Degradation, Wish, streaming
from musr_cli.degrade.codecs import CODECS
from musr_cli.dsp.filters import IIR_FAMILIES
from musr_cli.errors import UsageError

RATE = 8000


def blocks_of(x, frames):
    return (x[:, first : first + frames] for first in range(0, max(1, x.shape[-1]), frames))


@pytest.mark.parametrize("family", [*FAMILIES, RESAMPLE])
@pytest.mark.parametrize("cutoff_hz", [700.0, 1931.0])
def test_pieces_are_the_whole(monkeypatch, family, cutoff_hz):
    monkeypatch.setattr(streaming, "CORE_S", 2.0)
    x = np.random.default_rng(0).normal(0, 0.1, (2, 9 * RATE + 17)).astype(np.float32)
    how = Degradation(family, cutoff_hz, 10 if family in IIR_FAMILIES else None)
    whole = degrade.apply(x, RATE, how)
    pieces = np.concatenate(list(degrade.apply_blocks(blocks_of(x, 7001), RATE, 2, how)), axis=-1)
    assert pieces.shape == x.shape
    assert 10 * np.log10(np.sum(whole**2) / (np.sum((pieces - whole) ** 2) + 1e-20)) > 80


@pytest.mark.parametrize("codec", CODECS)
def test_codecs_do_not_care_about_blocks(codec):
    x = np.random.default_rng(0).normal(0, 0.1, (2, 3 * RATE)).astype(np.float32)
    how = Degradation(codec, bitrate_kbps=48.0)
    pieces = np.concatenate(list(degrade.apply_blocks(blocks_of(x, 1000), RATE, 2, how)), axis=-1)
    # libvorbis makes up a past from the first block that it sees
    np.testing.assert_array_equal(pieces[:, 2048:], degrade.apply(x, RATE, how)[:, 2048:])


def test_without_a_wish_a_low_pass_is_drawn():
    chain = Wish().draw(7, RATE)
    assert chain.lowpass == degrade.sample(7, RATE)
    assert (chain.output_rate, chain.codec) == (RATE, None)
    assert chain.edge_hz() == degrade.edge(degrade.sample(7, RATE), RATE)


def test_a_wish_replaces_what_would_be_drawn_and_nothing_else():
    chain = Wish(family="elliptic", cutoff_hz=1500.0).draw(7, RATE)
    assert chain.lowpass == Degradation("elliptic", 1500.0, degrade.sample(7, RATE, families=("elliptic",)).order)
    assert Wish(order=3).draw(1, RATE).lowpass.order == 3


@pytest.mark.parametrize("wish", [Wish(rate=4000), Wish(codec="mp3")])
def test_a_rate_or_codec_alone_filters_nothing(wish):
    assert wish.draw(0, RATE).lowpass is None


def test_a_chain_gives_the_lower_rate_and_its_length():
    chain = Wish(rate=4000, codec="vorbis").draw(0, RATE)
    x = np.random.default_rng(0).normal(0, 0.1, (2, 1001)).astype(np.float32)
    y = np.concatenate(list(chain.apply([x], 2)), axis=-1)
    assert y.shape == (2, 501)
    assert chain.edge_hz() <= 2000


def test_the_edge_of_a_chain_is_that_of_the_step_that_takes_most():
    assert Wish(family="butterworth", order=8, cutoff_hz=1000.0, rate=4000).draw(0, RATE).edge_hz() < 1100
    assert 1900 < Wish(family="butterworth", order=8, cutoff_hz=3000.0, rate=4000).draw(0, RATE).edge_hz() < 2000


@pytest.mark.parametrize("wish", [Wish(rate=16000), Wish(family="stft", order=6), Wish(cutoff_hz=4000.0)])
def test_impossible_wishes_are_refused(wish):
    with pytest.raises(UsageError):
        wish.draw(0, RATE)
