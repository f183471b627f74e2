"""The path strings."""

import pytest

from neurotrace.capture.sites import POOLINGS, SITES, Target, parse, parse_all


def test_a_path_survives_being_parsed_and_printed() -> None:
    for site in SITES:
        for pooling in POOLINGS:
            for basis in ("", "@rotated0", "@rotated71"):
                path = f"{site}{basis}/{pooling}"
                assert str(parse(path)) == path


def test_states_are_float32_and_neurons_what_was_chosen() -> None:
    assert parse("mlp.hook_pre/rate").dtype("float16") == "float16"
    assert parse("hook_resid_post/mean").dtype("float16") == "float32"
    assert parse("embed/tokens").dtype("float16") == "float32"


def test_the_embedding_is_no_layer() -> None:
    assert Target("embed", "max").layers(3) == [None]
    assert Target("hook_resid_post", "max").layers(3) == [0, 1, 2]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "mlp.hook_pst/max",
            r"site 'mlp.hook_pst'.*valid sites embed, mlp.hook_pre",
        ),
        ("mlp.hook_post/median", r"pooling 'median'.*poolings max, mean, last, rate, tokens"),
        ("mlp.hook_post", r"expected site/pooling"),
        ("mlp.hook_post@rotated/max", r"site@rotatedSEED/pooling"),
        ("../mlp.hook_post/max", r"expected site/pooling"),
    ],
)
def test_a_wrong_path_is_refused_with_the_valid_ones(path: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(path)


def test_a_path_named_twice_none_at_all_and_a_bare_string_are_refused() -> None:
    with pytest.raises(ValueError, match="embed/max twice"):
        parse_all(["embed/max", "embed/max"])
    with pytest.raises(ValueError, match="no path to capture"):
        parse_all([])
    with pytest.raises(ValueError, match="expected a sequence of paths"):
        parse_all("embed/max")
