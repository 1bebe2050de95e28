"""Every check of the kit."""

from idxhub import conformance


@conformance.parametrize("arrow")
def test_conformance(check, tmp_path):
    check(conformance.case("arrow", tmp_path))
