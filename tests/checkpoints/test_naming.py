"""Names of published suites, each with the step, stage and tokens that its pages say."""

import pytest

from neurotrace.checkpoints.naming import SUITES, Place, compiled, place_of, suite_of, with_stages


@pytest.mark.parametrize(
    ("name", "stage", "step", "tokens"),
    [
        ("step143000", 0, 143_000, None),
        ("checkpoint-1000", 0, 1000, None),
        ("global_step100000", 0, 100_000, None),
        ("step1000-tokens4B", 0, 1000, 4 * 10**9),
        ("step50000-tokens210B", 0, 50_000, 210 * 10**9),
        ("stage1-step150-tokens1B", 1, 150, 10**9),
        ("stage1-step1907359-tokens4001B", 1, 1_907_359, 4001 * 10**9),
        ("stage1-step-3440000", 1, 3_440_000, None),
        ("step-160000", 0, 160_000, None),
        ("step-001000-2BT", 0, 1000, 2 * 10**9),
        ("step-167000-350BT", 0, 167_000, 350 * 10**9),
        ("step10-tokens1.5T", 0, 10, 15 * 10**11),
    ],
)
def test_names_are_read(name, stage, step, tokens):
    match = compiled(None).fullmatch(name)
    assert place_of(match, name=name) == Place(stage, step, tokens)


@pytest.mark.parametrize(
    "name",
    ["main", "it-SFT", "stage2-ingredient1-step1000-tokens3B", "lc-4k-to-32k-step-4000", "step",
     "v1.0", "step512-2", "step512-dpo"],
)  # fmt: skip
def test_other_names_are_not(name):
    assert compiled(None).fullmatch(name) is None


@pytest.mark.parametrize(
    ("repo", "name", "checkpoints", "tokens"),
    [
        ("EleutherAI/pythia-70m", "Pythia", 154, 2_097_152),
        ("EleutherAI/pythia-1.4b-deduped", "Pythia", 154, 2_097_152),
        ("EleutherAI/pythia-160m-seed3", "Pythia", 154, 2_097_152),
        ("EleutherAI/pythia-14m-weight-seed1", "Pythia", 154, 2_097_152),
        ("EleutherAI/pythia-70m-deduped-v0", "Pythia, first release", 143, None),
        ("stanford-crfm/alias-gpt2-small-x21", "Mistral GPT-2", 609, None),
        ("bigscience/bloom-7b1-intermediate", "BLOOM", 0, None),
        ("HuggingFaceTB/SmolLM3-3B-checkpoints", "SmolLM3", 0, 2_359_296),
        ("HuggingFaceTB/SmolLM2-1.7B-intermediate-checkpoints", "SmolLM2", 0, 2_097_152),
        ("google/multiberts-seed_4", "MultiBERTs", 29, 131_072),
    ],
)
def test_published_suites_are_known(repo, name, checkpoints, tokens):
    suite = suite_of(repo)
    assert (suite.name, len(suite.schedule), suite.tokens_per_step) == (name, checkpoints, tokens)
    assert list(suite.schedule) == sorted(set(suite.schedule))


def test_groups_of_a_repository_fill_in_what_belongs_to_it():
    assert suite_of("bigscience/bloom-1b7-intermediate").tokenizer == "bigscience/bloom-1b7"
    assert suite_of("google/multiberts-seed_12").apart == "google/multiberts-seed_12-step_"
    # Pythia ends at 300 billion tokens, SmolLM3 at 11.1 trillion: steps times tokens a step.
    assert 143_000 * suite_of("EleutherAI/pythia-70m").tokens_per_step == 299_892_736_000
    assert round(4_720_000 * 2_359_296 / 1e12, 1) == 11.1


@pytest.mark.parametrize(
    "repo", ["bigscience/bloom-560m", "EleutherAI/gpt-neo-125m", "google/bert"]
)
def test_other_repositories_belong_to_none(repo):
    assert suite_of(repo) is None


def test_every_pattern_of_the_table_compiles_with_a_step():
    for suite in SUITES:
        assert "step" in compiled(suite.pattern).groupindex


def test_names_without_a_stage_join_the_first_where_there_is_one():
    a, b, c, d = Place(0, 5, None), Place(1, 9, None), Place(2, 3, None), Place(0, 9, None)
    assert with_stages([a, b, c, d]) == [Place(1, 5, None), b, c, d]
    assert with_stages([a, d]) == [a, d]


def test_tokens_that_are_no_number_are_named():
    matcher = compiled(r"(?P<step>\d+)_(?P<tokens>\w+)")
    with pytest.raises(ValueError, match="5_many: got tokens 'many'; expected a number"):
        place_of(matcher.fullmatch("5_many"), name="5_many")
