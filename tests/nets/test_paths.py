import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdr.base.errors import UserError
from sdr.nets.paths import check_n_subnets, path_of


@given(st.integers(1, 6), st.data())
def test_path_is_the_number_in_base_groups(groups, data):
    subnet = data.draw(st.integers(0, groups**4 - 1))
    path = path_of(subnet, groups)
    assert sum(digit * groups ** (3 - i) for i, digit in enumerate(path)) == subnet
    assert all(0 <= digit < groups for digit in path)


@pytest.mark.parametrize("last", [1, 2, 3, 4])
def test_the_first_sub_nets_differ_in_the_last_stages_alone(last):
    """Fig. 3: phase p adds the sub-nets that differ in the last p blocks."""
    paths = [path_of(i, 4) for i in range(4**last)]
    assert len(set(paths)) == 4**last
    assert {p[: 4 - last] for p in paths} == {(0,) * (4 - last)}


@pytest.mark.parametrize("n", [1, 3, 4, 16, 256])
def test_any_number_up_to_all_paths(n):
    check_n_subnets(n, 256)


@pytest.mark.parametrize("n", [0, -1, 257])
def test_too_many_or_too_few(n):
    with pytest.raises(UserError, match=f"n_subnets is {n}.*256"):
        check_n_subnets(n, 256)
