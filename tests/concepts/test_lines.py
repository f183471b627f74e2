"""Lines of files and JSON values: read strictly, and shown shortly when they are refused."""

import pytest

from neurotrace.concepts.lines import json_value, read_lines, shown


def test_lines_end_in_line_feeds_with_or_without_a_carriage_return(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes("\ufeffa\r\nb\u2028c\n\n d \r\n".encode())
    assert read_lines(path) == ["a", "b\u2028c", "", " d "]
    path.write_bytes(b"")
    assert read_lines(path) == []


@pytest.mark.parametrize("text", ['{"a": [1, {"b": null}]}', '"\\ud83d\\ude00"', "1e999", "[]"])
def test_sound_json_is_what_json_says(text):
    import json

    assert json_value(text, where="x") == json.loads(text)


def test_nesting_is_bounded_and_not_by_what_strings_hold():
    assert json_value("[" * 32 + "]" * 32, where="x")
    assert json_value('"' + "[{" * 1000 + '"', where="x") == "[{" * 1000
    with pytest.raises(
        ValueError, match="^x: got JSON nested too deep; expected at most 32 levels"
    ):
        json_value("[" * 33 + "]" * 33, where="x")


def test_a_value_is_shown_in_one_short_line():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for value in (deep, "a\n" * 9999, list(range(9999)), {n: n for n in range(99)}, 10**4000):
        assert len(shown(value)) < 120
        assert "\n" not in shown(value)
