from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from packaging.licenses import canonicalize_license_expression

from mamba_press.config.model import Licenses
from mamba_press.metadata import licenses

NAMES = ("MIT", "ISC", "curl", "GPL-3.0-only WITH GCC-exception-3.1", "GPL-3.0-only", "LicenseRef-x")


def expressions(leaves=NAMES):
    """Texts with what they mean: a function from the licences that one accepts to whether that is enough."""
    leaf = st.sampled_from(leaves).map(lambda name: (name, lambda accepted, name=name: name in accepted))

    def joined(pair):
        (left, one), (right, other), operator = pair
        if operator == "OR":
            return f"({left} OR {right})", lambda accepted: one(accepted) or other(accepted)
        return f"({left}) AND {right}", lambda accepted: one(accepted) and other(accepted)

    return st.recursive(
        leaf, lambda inner: st.tuples(inner, inner, st.sampled_from(["AND", "OR"])).map(joined), max_leaves=8
    )


@given(expressions(), st.sets(st.sampled_from(NAMES), min_size=1))
def test_an_expression_may_stay_exactly_when_what_is_allowed_satisfies_it(expression, allowed):
    text, is_enough = expression
    tree = licenses._parsed(canonicalize_license_expression(text))
    assert (licenses._refused(tree, Licenses(allow=tuple(allowed))) is None) is is_enough(allowed)


@given(st.lists(expressions(), min_size=1, max_size=4), st.sets(st.sampled_from(NAMES)))
def test_a_conjunction_is_satisfied_exactly_when_all_its_parts_are(parts, accepted):
    together = licenses.joined(canonicalize_license_expression(text) for text, _ in parts)
    assert canonicalize_license_expression(together) == together
    refused = licenses._refused(licenses._parsed(together), Licenses(allow=(*accepted, "none")))
    assert (refused is None) is all(is_enough(accepted) for _, is_enough in parts)


@given(st.text(max_size=40) | st.text("GPLv23.+ andorMIT()-", max_size=30))
def test_any_text_becomes_an_expression_that_can_stand_in_metadata(text):
    expression, _ = licenses._read(text, "x")
    assert canonicalize_license_expression(expression) == expression
