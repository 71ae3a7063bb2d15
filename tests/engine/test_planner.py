from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from musr_cli.engine.planner import Plan, plan

PLANS = st.builds(
    plan,
    chunk_samples=st.integers(1, 5000),
    context=st.integers(0, 3000),
    align=st.integers(1, 900),
    sample_rate=st.sampled_from([8000, 44100]),
)


@settings(deadline=None)
@given(PLANS, st.integers(0, 9000))
def test_chunks_cover_a_file_of_any_length_once(cut: Plan, samples: int) -> None:
    chunks = list(cut.chunks(samples))
    assert bool(chunks) == bool(samples)
    if chunks:
        assert chunks[0].start == 0
        assert chunks[-1].stop == samples
        assert [chunk.is_last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    for chunk, following in pairwise(chunks):
        assert following.start == chunk.stop - cut.fade
        assert following.stop > chunk.stop


@settings(deadline=None)
@given(st.integers(0, 9000), st.integers(1, 5000), st.integers(0, 3000), st.integers(1, 900))
def test_every_chunk_is_aligned_and_has_its_context(samples: int, chunk_samples: int, context: int, align: int) -> None:
    cut = plan(chunk_samples, context, align, 44100)
    for chunk in cut.chunks(samples):
        assert chunk.read_from % align == 0
        assert chunk.read_to % align == 0
        assert 0 <= chunk.read_from <= max(chunk.start - context, 0)
        assert min(chunk.stop + context, samples) <= chunk.read_to < samples + align


@settings(deadline=None)
@given(PLANS, st.integers(0, 9000), st.lists(st.integers(1, 4000), min_size=1, max_size=5))
def test_a_stream_is_cut_like_a_file(cut: Plan, samples: int, arrivals: list[int]) -> None:
    """Whatever is known of the length when: same chunks, none before its context is there."""
    available, chunks, index = 0, [], 0
    for step in range(samples + 2):
        has_ended = available >= samples
        while chunk := cut.chunk(index, available, has_ended):
            assert has_ended or chunk.stop + cut.context <= available
            chunks.append(chunk)
            index += 1
        if has_ended:
            break
        available = min(samples, available + arrivals[step % len(arrivals)])
    assert chunks == list(cut.chunks(samples))
