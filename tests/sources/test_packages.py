import pytest

from sdr.base.errors import UserError
from sdr.sources.packages import shipped


def test_a_shipped_file_is_found():
    assert shipped("scikit-image", "skimage/data/coffee.png").stat().st_size > 10_000


def test_a_missing_package_says_what_to_do():
    with pytest.raises(UserError, match="no-such-package is not installed: run `make setup`"):
        shipped("no-such-package", "x.png")


def test_a_missing_file_names_package_and_version():
    with pytest.raises(UserError, match=r"pillow \d+\.\S* has no PIL/cat.png"):
        shipped("pillow", "PIL/cat.png")
