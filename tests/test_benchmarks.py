"""The benchmark: a whole record, each part of one machine, fair peers, tables that say so."""

from __future__ import annotations

import dataclasses
import itertools
import json
import statistics

import pytest
from helpers import ROOT

from benchmarks import ceiling, parts, record, serving, tables
from benchmarks.__main__ import main
from benchmarks.parts import LONG, PARTS, SEEDS
from mnist_code.book.record import load
from mnist_code.exercises import check_operations
from mnist_code.recipes import RECIPES, recipe_for


@pytest.fixture(scope="module")
def shipped():
    """The record that comes with the book."""
    return load()


def test_the_record_is_whole(shipped):
    """A part that a chapter reads and nobody measured. (It does without the long ones.)"""
    assert list(shipped) == ["machines", "parts"]
    assert set(shipped["machines"]) == set(shipped["parts"])
    assert set(shipped["parts"]) | set(LONG) == set(PARTS) == set(tables.TABLES)
    for recipe, seeds in SEEDS.items():
        if recipe in LONG and recipe not in shipped["parts"]:
            continue
        assert list(shipped["parts"][recipe]) == [str(seed) for seed in range(seeds)]


def test_the_record_holds_what_the_book_claims(shipped):
    """A record renewed with figures that the chapters' words no longer fit."""
    found = shipped["parts"]
    assert min(run["test_accuracy"] for run in found["fast"].values()) >= 0.9812
    assert statistics.median(run["seconds"] for run in found["fast"].values()) <= 3.5
    accurate = [run["test_accuracy"] for run in found["accurate"].values()]
    assert statistics.mean(accurate) >= 0.992
    assert max(run["seconds"] for run in found["accurate"].values()) <= 180
    # "Even perfect code around them couldn't make it twice as fast."
    assert all(run["share"] > 0.5 for run in found["ceiling"].values())
    fastest = min(found["epoch"], key=lambda name: tables.total(found["epoch"][name]))
    assert fastest == "this book"


def test_tables_show_every_figure(shipped, capsys):
    """A table that drops a program, or measures when asked to show."""
    assert main(["--show"]) == 0
    shown = capsys.readouterr().out
    for machine in shipped["machines"].values():
        assert machine["processor"] in shown
    for name in shipped["parts"]["epoch"]:
        assert name in shown
    assert "10 seeds" in shown


def test_operations_are_counted_as_the_exercise_demands():
    """A ceiling that is too high or too low by a factor."""
    assert ceiling.operations(60_000) == pytest.approx(98.2e9, rel=1e-3)

    def count(sizes, images):
        if sizes == (784, 512, 10):
            return ceiling.operations(images)
        weights = [a * b for a, b in itertools.pairwise(sizes)]
        return 2 * images * (2 * sum(weights) + sum(weights[1:]))

    check_operations(count)


def test_a_record_goes_on_where_it_was(tmp_path):
    """A figure measured twice, or lost when the next part fails."""
    path = tmp_path / "record.json"
    one = record.Record(path)
    assert one.wants("fast", "0")
    one.set("fast", "0", {"seconds": 1.0})
    two = record.Record(path)
    assert not two.wants("fast", "0")
    assert two.wants("fast", "1")
    two.set("fast", "1", {"seconds": 2.0})
    assert set(load(path)["parts"]["fast"]) == {"0", "1"}
    assert record.Record(path, again=True).wants("fast", "0")


def test_figures_of_two_machines_do_not_mix(tmp_path, capsys):
    """A table whose lines come from different machines."""
    path = tmp_path / "record.json"
    for part in ("fast", "startup"):
        record.Record(path).set(part, "0", {"seconds": 1.0})
    stored = load(path)
    stored["machines"]["fast"]["processor"] = "abacus"
    path.write_text(json.dumps(stored))
    assert main(["--record", str(path), "fast"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: The figures of fast")
    assert "another machine" in said
    assert load(path) == stored
    # What is there already needs no second machine, and neither do other parts.
    assert not record.Record(path).wants("fast", "0")
    assert record.Record(path).wants("startup", "1")
    # Measured again, the part starts from nothing.
    record.Record(path, again=True).set("fast", "1", {"seconds": 2.0})
    found = load(path)
    assert found["parts"]["fast"] == {"1": {"seconds": 2.0}}
    assert found["machines"]["fast"] == found["machines"]["startup"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"machines": {}, "parts": {"fast": {}}}', '{"machines": {}}'],
)
def test_a_damaged_record_is_named(tmp_path, capsys, text):
    """A traceback, or a record overwritten because it could not be read."""
    path = tmp_path / "record.json"
    path.write_text(text)
    assert main(["--record", str(path), "fast"]) == 1
    assert str(path) in capsys.readouterr().err
    assert path.read_text() == text


@pytest.mark.slow
def test_long_runs_go_on_where_they_were(tmp_path, monkeypatch, capsys):
    """Epochs trained twice; a student without its teacher; figures of the wrong network."""
    monkeypatch.setattr(parts, "RUNS", tmp_path / "runs")
    tiny = {"epochs": 1, "members": 2, "batch_size": 144, "distortion": 0.0}
    small = [f"--{name.replace('_', '-')}={value}" for name, value in tiny.items()]
    whole, commands = parts.run, []

    def short(arguments, dataset):
        commands.append(list(arguments))
        extra = small if "committee" in commands[-1] else [small[0], *small[2:]]
        return whole([*arguments, *extra], dataset)

    monkeypatch.setattr(parts, "run", short)
    committee = dataclasses.replace(recipe_for("committee", "digits"), **tiny)
    monkeypatch.setitem(RECIPES, "committee", committee)
    monkeypatch.setattr("mnist_code.recipes.recipe_for", lambda name, _: RECIPES[name])
    monkeypatch.setitem(SEEDS, "distilled", 1)
    path = tmp_path / "record.json"
    for again in ([], ["--again"]):  # the second finds every epoch done
        options = ["--record", str(path), "--dataset", "digits", *again]
        assert main(["committee", "distilled", *options]) == 0
    found = load(path)["parts"]
    (of_committee,), (of_student,) = (found[name].values() for name in sorted(found))
    assert of_committee["epochs"] == of_student["epochs"] == 1
    assert {name: len(x) for name, x in of_committee["members"].items()} == {
        "none": 1, "moments": 1
    }  # fmt: skip
    assert of_committee["members"]["none"] != of_committee["members"]["moments"]
    assert [command[4] for command in commands] == ["committee", "distilled"] * 2
    assert "1 with normalization moments, alone" in capsys.readouterr().out


def test_an_unknown_part_is_refused(capsys):
    """A misspelled part that is silently skipped."""
    with pytest.raises(SystemExit) as stop:
        main(["epochs"])
    assert stop.value.code == 2
    assert "choose from epoch, " in capsys.readouterr().err


def test_help_names_the_parts(capsys):
    """A part that nobody can find."""
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert all(part in shown for part in PARTS)


def test_a_profile_finds_the_products(train):
    """Names of operations that XLA has changed, so that all is called the rest."""
    seconds = ceiling.profile(*train, 32)
    assert set(seconds) == set(ceiling.KINDS.values())
    assert seconds["matrix products"] > 0.3 * sum(seconds.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["this book", "NumPy", "Flax NNX"])
def test_a_peer_obeys_and_learns(python, name, monkeypatch):
    """A program that answers before it is done, or that does not train."""
    monkeypatch.setenv("MNIST_CODE_DATASET", "digits")
    result = python(
        "-m",
        "benchmarks.peers",
        name,
        input="go\ngo\ngo\ngo\ngo\n",
        cwd=ROOT,
    )
    ready, *answers = result.stdout.splitlines()
    assert ready == "ready"
    last = json.loads(answers[-1])
    assert len(answers) == 5
    assert last["train_right"] > 0.9 * 1440
    assert last["test_right"] > 0.85 * 357
    assert last["train_seconds"] > 0


@pytest.mark.slow
def test_a_probe_looks_at_itself(python, monkeypatch):
    """A clock that starts late, a memory in the wrong unit."""
    monkeypatch.setenv("MNIST_CODE_DATASET", "digits")
    root = ROOT
    start, growth = (
        json.loads(python("-m", "benchmarks.probe", *sizes, cwd=root).stdout)
        for sizes in ((), (32, 64))
    )
    assert start["import_jax"] > 0.05
    assert 100 < start["peak_mb"] < 4_000
    assert growth["test_accuracy"] > 0.5
    assert 100 < growth["peak_mb"] < 4_000


@pytest.mark.slow
def test_the_server_is_measured(monkeypatch):
    """A benchmark that no longer speaks the server's language."""
    monkeypatch.setattr(serving, "CLIENTS", (2,))
    for arguments in serving.SERVERS.values():
        rows = serving.measure(arguments, seconds=0.3)
        assert list(rows) == ["2"]
        assert rows["2"]["requests_per_second"] > 0
        assert 1 < rows["2"]["median_ms"] <= rows["2"]["slow_ms"]
