"""An intervention's file gives back the intervention, and what is no such file is refused."""

import json
from dataclasses import replace

import pytest

from neurotrace.capture import load_model
from neurotrace.causal.clamp import clamp
from neurotrace.causal.generate import generate
from neurotrace.causal.intervention import Intervention
from neurotrace.checkpoints import Checkpoint

NEURONS = ["L0.N3", "L2.N11", "L1.N70"]


@pytest.fixture(scope="module")
def loaded(tiny):
    return load_model(tiny.folder(0), backend="plain")


@pytest.fixture(scope="module")
def made(tiny, loaded) -> Intervention:
    return Intervention.on(
        Checkpoint("tiny", 0, tiny.folder(0)),
        NEURONS,
        [1 / 3, -2e-17, 1e30],
        model=loaded,
        prompt="word1 word2",
        temperature=0.8,
        seeds=range(5),
        max_new_tokens=9,
        note="größer",
    )


def test_a_file_gives_back_the_same_intervention_to_the_last_digit(made, tmp_path):
    file = made.write(tmp_path / "forcing.json")
    assert Intervention.read(file) == made
    again = Intervention.read(file).write(tmp_path / "again.json")
    assert again.read_bytes() == file.read_bytes()


def test_a_file_can_be_read_by_a_person(made, tmp_path):
    text = made.write(tmp_path / "forcing.json").read_text(encoding="utf-8")
    assert json.loads(text)["neurons"] == {"L0.N3": 1 / 3, "L2.N11": -2e-17, "L1.N70": 1e30}
    assert '\n    "L0.N3": 0.3333333333333333,\n' in text
    assert '"note": "größer"' in text


def test_a_run_is_the_clamp_it_describes(made, loaded):
    calm = replace(made, values=(1.0, -2.0, 3.0), positions="content", top_p=0.9)
    ran = calm.run(loaded)
    with clamp(loaded, NEURONS, [1.0, -2.0, 3.0], positions="content"):
        by_hand = generate(
            loaded,
            seeds=range(5),
            max_new_tokens=9,
            temperature=0.8,
            top_p=0.9,
            prompt="word1 word2",
        )
    assert ran.texts == by_hand.texts
    assert calm.run(loaded, n=2).texts == ran.texts[:2]


def test_a_model_of_another_shape_is_refused(made, tiny):
    with pytest.raises(ValueError, match="3 layers of 72 neurons; expected 3 of 80"):
        made.run(tiny.hooked("llama"))


def test_other_weights_are_refused_and_the_same_are_not(made, tiny):
    made.refuse_other(tiny.folder(0))
    with pytest.raises(ValueError, match="not those of tiny at step 0"):
        made.refuse_other(tiny.folder(1))


def test_zeroing_needs_no_values(tiny, loaded, tmp_path):
    checkpoint = Checkpoint("tiny", 0, tiny.folder(0))
    zeroed = Intervention.on(checkpoint, [3, 90], model=loaded, how="zero", seeds=[7])
    assert zeroed.neurons == ("L0.N3", "L1.N10")
    assert Intervention.read(zeroed.write(tmp_path / "zero.json")) == zeroed
    assert zeroed.run(loaded).seeds == (7,)


def edited(made, tmp_path, change):
    file = made.write(tmp_path / "edited.json")
    told = json.loads(file.read_text())
    change(told)
    file.write_text(json.dumps(told))
    return file


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda told: told.pop("weights"), "got no 'weights'"),
        (lambda told: told.update(format="other 1"), "got format 'other 1'; expected"),
        (lambda told: told.update(neuron=3), "got 'neuron'; valid are model"),
        (lambda told: told.update(seeds=[True]), "got seeds .* expected a list of whole numbers"),
        (lambda told: told.update(seeds=[]), "at least one"),
        (lambda told: told.update(step="7"), "got step .* expected a whole number"),
        (lambda told: told.update(temperature=None), "got temperature null; expected a number"),
        (lambda told: told.update(temperature=-1), "got temperature -1"),
        (lambda told: told.update(how="flip"), "valid are set, zero"),
        (lambda told: told.update(positions="first"), "valid are all, last, content"),
        (lambda told: told.update(layers=2), "L2.N11"),
        (lambda told: told.update(layers=10**12), "got 1000000000000 layers"),
        (lambda told: told.update(path="mlp.hook_post@rotated7/max"), "without rotation"),
        (lambda told: told.update(path="elsewhere/max"), "valid sites"),
        (lambda told: told["neurons"].update({"L0.N3": "1"}), "object of names and numbers"),
        (lambda told: told["neurons"].update({"L0.N4": float("inf")}), "finite"),
        (lambda told: told["neurons"].update({"L0.N4": 10**400}), "too large"),
        (lambda told: told["neurons"].update({"N4": 1.0}), "such as L3.N117"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line_that_names_it(made, tmp_path, change, line):
    file = edited(made, tmp_path, change)
    with pytest.raises(ValueError, match=line) as caught:
        Intervention.read(file)
    assert str(caught.value).startswith("edited.json: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"{", "not JSON .line 1"),
        (b"\xff\xfe{", "not UTF-8"),
        (b"[]", "got format 'list'"),
        (b"[" * 100_000, "without end"),
        (b'{"step": 1, "step": 2}', "'step' twice"),
    ],
)
def test_what_is_no_intervention_is_refused(tmp_path, content, line):
    file = tmp_path / "some.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=line):
        Intervention.read(file)
    with pytest.raises(FileNotFoundError, match="no file other.json"):
        Intervention.read(tmp_path / "other.json")
