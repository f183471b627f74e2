"""``python -m neurotrace.causal`` runs a file again, and says in one line why it does not."""

import subprocess
import sys

import pytest

from neurotrace.capture import load_model
from neurotrace.causal.__main__ import main
from neurotrace.causal.intervention import Intervention
from neurotrace.checkpoints import Checkpoint


@pytest.fixture(scope="module")
def file(tiny, tmp_path_factory) -> str:
    model = load_model(tiny.folder(0), backend="plain")
    intervention = Intervention.on(
        Checkpoint("tiny", 0, tiny.folder(0)),
        ["L0.N3", "L2.N11"],
        [1.0, 2.0],
        model=model,
        seeds=range(100, 112),
        max_new_tokens=8,
    )
    return str(intervention.write(tmp_path_factory.mktemp("files") / "forcing.json"))


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_two_runs_give_the_same_texts(file, tiny, capsys):
    assert run(file, "--checkpoint", tiny.folder(0)) == 0
    first = capsys.readouterr().out
    assert run(file, "--checkpoint", tiny.folder(0)) == 0
    assert capsys.readouterr().out == first
    lines = first.splitlines()
    assert lines[0] == "tiny step 0: 2 neurons, set at all positions"
    assert [line.split("\t")[0] for line in lines[1:]] == [str(100 + i) for i in range(10)]
    assert all("word" in line for line in lines[1:])


def test_fewer_texts_are_the_first_of_all(file, tiny, capsys):
    run(file, "--checkpoint", tiny.folder(0), "--n", 12)
    everything = capsys.readouterr().out
    assert len(everything.splitlines()) == 13
    assert run(file, "--checkpoint", tiny.folder(0), "--n", 2) == 0
    assert everything.startswith(capsys.readouterr().out)


def test_both_back_ends_write_the_same_texts(file, tiny, capsys):
    run(file, "--checkpoint", tiny.folder(0), "--backend", "plain")
    plain = capsys.readouterr().out
    run(file, "--checkpoint", tiny.folder(0), "--backend", "bridge")
    assert capsys.readouterr().out == plain


def test_another_checkpoint_is_refused_unless_allowed(file, tiny, capsys):
    folder = tiny.folder(1)
    capsys.readouterr()  # what saving it drew
    assert run(file, "--checkpoint", folder) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "weights are not those of tiny at step 0" in told.err
    assert run(file, "--checkpoint", folder, "--allow-other", "--n", 1) == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("missing.json --checkpoint {folder}", "no file missing.json"),
        ("{file} --checkpoint nowhere", "nowhere, which is no folder"),
        ("{file} --checkpoint {folder} --n 0", "--n 0"),
        ("{file} --checkpoint {folder}/..", "weight"),
        ("{folder}/config.json --checkpoint {folder}", "got format None"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(file, tiny, capsys, arguments, line):
    given = arguments.format(file=file, folder=tiny.folder(0))
    assert main(given.split()) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("neurotrace: ")
    assert told.err.count("\n") == 1
    assert line in told.err


def test_the_command_says_what_it_is_for_when_asked_nothing(capsys):
    assert main([]) == 0
    assert "python -m neurotrace.causal FILE.json --checkpoint FOLDER" in capsys.readouterr().out


def test_an_unknown_option_is_exit_code_2(file):
    command = [sys.executable, "-m", "neurotrace.causal", file, "--no-such-option"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
