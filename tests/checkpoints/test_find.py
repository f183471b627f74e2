"""Series of checkpoints: usual names in order, unusual ones by pattern, trouble by name."""

import pytest

from neurotrace.checkpoints import find, gaps, select


def series(folder, *names):
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "model.safetensors").touch()
    return folder


@pytest.mark.parametrize(
    "names",
    [
        ("step-000002", "step-000010", "step-000512"),
        ("step2", "step10", "step512"),
        ("checkpoint-2", "checkpoint-10", "checkpoint-512"),
        ("global_step2", "global_step10", "global_step512"),
    ],
)
def test_usual_names_are_ordered_by_step(tmp_path, names):
    found = find(series(tmp_path / "run", *reversed(names), "twin"))
    assert [c.step for c in found] == [2, 10, 512]
    assert [c.path.name for c in found] == list(names)
    assert {c.model for c in found} == {"run"}


def test_stages_and_tokens_are_read_off_the_name(tmp_path):
    found = find(
        series(tmp_path, "stage2-step10-tokens3B", "stage1-step150-tokens1B", "stage1-step20")
    )
    assert [(c.stage, c.step, c.tokens) for c in found] == [
        (1, 20, None), (1, 150, 10**9), (2, 10, 3 * 10**9),
    ]  # fmt: skip
    assert found[1].label == "stage1-step150"


def test_a_pattern_names_unusual_folders(tmp_path):
    found = find(series(tmp_path, "epoch1_it40", "epoch1_it5"), pattern=r"epoch\d+_it(?P<step>\d+)")
    assert [c.step for c in found] == [5, 40]
    with pytest.raises(ValueError, match="expected a group named step"):
        find(tmp_path, pattern="epoch.*")
    with pytest.raises(ValueError, match="no regular expression"):
        find(tmp_path, pattern="(")
    with pytest.raises(ValueError, match="got step 'h1_it5?4?0?'; expected digits"):
        find(tmp_path, pattern="epoc(?P<step>.*)")


def test_one_checkpoint_folder_is_a_series_of_one(tmp_path):
    assert [c.step for c in find(series(tmp_path, "step7") / "step7")] == [7]


def test_trouble_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder of checkpoints"):
        find(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"with no folders; expected names like"):
        find(tmp_path)
    with pytest.raises(ValueError, match="got step 5 twice, in folders step-005 and step5"):
        find(series(tmp_path, "step5", "step-005"))
    (tmp_path / "cut" / "step9").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"got checkpoint folders without weights \(step9\)"):
        find(tmp_path / "cut")


def test_a_save_that_was_cut_short_is_a_gap(tmp_path):
    (tmp_path / "step9").mkdir()
    found = find(series(tmp_path, "step5", "step13"))
    assert [c.step for c in found] == [5, 13]
    assert gaps(found) == [(0, 9)]
    assert found.notes == ("without weights: step9",)


@pytest.mark.parametrize(
    ("selection", "steps"),
    [
        ("all", [1, 2, 4, 8, 16]),
        ("1,16", [1, 16]),
        ("2:8", [2, 4, 8]),
        (":4,16", [1, 2, 4, 16]),
        ("::2", [1, 4, 16]),
        ("2::2", [2, 8]),
    ],
)
def test_selections(tmp_path, selection, steps):
    found = find(series(tmp_path, *(f"step{n}" for n in (1, 2, 4, 8, 16))))
    assert [c.step for c in select(found, selection)] == steps


def test_a_selection_of_nothing_is_refused(tmp_path):
    found = find(series(tmp_path, "step1", "step2"))
    for selection, message in [
        ("3", "got checkpoint 3; the series has 1, 2"),
        ("5:9", "selects none of 1, 2"),
        ("last", "valid are all, 0,64,512"),
    ]:
        with pytest.raises(ValueError, match=message):
            select(found, selection)
