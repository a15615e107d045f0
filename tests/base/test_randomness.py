"""Draws are functions of their key: the same in every run and on every machine, others for another key."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdr.base.randomness import derive, draw_batch, numpy_rng, torch_rng

KEYS = st.lists(st.one_of(st.integers(0, 10**6), st.text(max_size=5)), min_size=1, max_size=3).map(tuple)


@pytest.mark.parametrize(
    ("key", "number"),
    [((0,), 7210762507766007076), ((0, "images", 7), 1702114888936639582), ((0, "images", 70), 6767829155527069781)],
)
def test_a_key_has_the_number_that_it_always_had(key, number):
    """Else no committed result could be made again."""
    assert derive(*key) == number


@given(KEYS, KEYS)
def test_another_key_is_another_number(one, other):
    assert 0 <= derive(*one) < 2**63
    assert (derive(*one) == derive(*other)) == (one == other)


def test_a_number_is_not_its_text_and_words_do_not_run_together():
    assert derive(0, "1") != derive(0, 1) and derive("ab", "c") != derive("a", "bc")


def test_generators_begin_anew_and_leave_the_global_ones_alone():
    before = np.random.get_state()[1].tolist(), torch.get_rng_state()
    assert (numpy_rng(0, "x").random(5) == numpy_rng(0, "x").random(5)).all()
    assert torch.equal(torch.rand(5, generator=torch_rng(0, "x")), torch.rand(5, generator=torch_rng(0, "x")))
    assert np.random.get_state()[1].tolist() == before[0] and torch.equal(torch.get_rng_state(), before[1])


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 100))
def test_a_batch_repeats_an_image_only_where_there_are_too_few(n, size, step):
    subset = np.arange(n) * 3 + 1
    drawn = draw_batch(subset, size, 0, "images", step)
    assert len(drawn) == size and set(drawn) <= set(subset)
    assert len(set(drawn)) == size or n < size
    assert (drawn == draw_batch(subset, size, 0, "images", step)).all()
