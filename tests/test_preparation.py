"""Tasks found out, rows split, and preparations fitted on the training part only."""

import datetime
import json

import numpy as np
import polars as pl
import pytest

from trasluz import datasets
from trasluz.errors import UserError
from trasluz.tables import Preparation, Table, Task, fitted, prepare, split
from trasluz.tables.scores import scores

ROWS = 60


def table(**columns):
    random = np.random.default_rng(0)
    given = {"x": random.normal(size=ROWS), "word": random.choice(["a", "b"], ROWS), **columns}
    return Table(pl.DataFrame({k: v for k, v in given.items() if v is not None}), "t", "t.csv")


def cycled(*values):
    return (list(values) * ROWS)[:ROWS]


def reals():
    return np.random.default_rng(1).normal(size=ROWS)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (cycled("a", "b"), Task.BINARY),
        (cycled("a", "b", "c"), Task.MULTICLASS),
        (cycled(True, False), Task.BINARY),
        (cycled(0, 1), Task.BINARY),
        (cycled(0.0, 1.0), Task.BINARY),
        (cycled(1, 2, 3), Task.MULTICLASS),
        (cycled("1", "2", "3"), Task.MULTICLASS),
        (cycled(0.5, 1.5), Task.REGRESSION),
        (list(range(ROWS)), Task.REGRESSION),
        (cycled(*range(13)), Task.REGRESSION),
        (reals(), Task.REGRESSION),
    ],
)
def test_task_is_found_out(values, task):
    assert prepare(table(y=values), ["y"]).preparation.task is task


def test_task_may_be_said():
    assert prepare(table(y=cycled(1, 2, 3)), ["y"], task="regression").preparation.task == (
        Task.REGRESSION
    )
    ready = prepare(table(y=cycled(1, 2)), ["y"], task="multi-class").preparation
    assert ready.outputs == 2


def test_several_targets_are_numbers():
    preparation = prepare(table(y=reals(), z=reals() * 2), ["y", "z"]).preparation
    assert (preparation.task, preparation.outputs) == (Task.REGRESSION, 2)


def test_parts_do_not_overlap_and_are_the_same_for_a_seed():
    given = table(y=cycled(*"aaab"), id=None, x=np.arange(ROWS) * 1.0)
    first, again, other = (prepare(given, ["y"], seed=s).parts for s in (3, 3, 4))
    rows = [set(part.frame["x"]) for part in first.values()]
    assert sum(map(len, rows)) == len(set.union(*rows)) == ROWS
    assert all(first[name].frame.equals(again[name].frame) for name in first)
    assert not first["test"].frame.equals(other["test"].frame)


def test_classes_keep_their_shares():
    parts = prepare(table(y=cycled(*"aaab")), ["y"]).parts
    assert [p.frame["y"].to_list().count("b") for p in parts.values()] == [9, 3, 3]
    assert [p.frame.height for p in parts.values()] == [36, 12, 12]


def test_a_class_of_one_row_is_noted():
    values = [*cycled("a", "b")[:-1], "c"]
    ready = prepare(table(y=values), ["y"])
    assert ready.preparation.classes == ("a", "b", "c")
    assert any("too few rows" in note for note in ready.notes)


def test_parts_that_are_not_asked_for_are_absent():
    assert list(prepare(table(y=reals()), ["y"], validation=0, test=0).parts) == ["train"]


def test_fitted_on_the_training_part_only():
    ready = prepare(table(y=reals()), ["y"])
    train, test = (ready.parts[name] for name in ("train", "test"))
    inputs = ready.preparation.transform(train)
    assert inputs.dtype == np.float32
    np.testing.assert_allclose(inputs[:, 0].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(inputs[:, 0].std(), 1, atol=1e-6)
    x = train.frame["x"].to_numpy()
    wanted = (test.frame["x"].to_numpy() - x.mean()) / x.std()
    np.testing.assert_allclose(ready.preparation.transform(test)[:, 0], wanted, rtol=1e-5)


def test_missing_values_are_imputed():
    x = [None if i % 7 == 0 else float(i) for i in range(ROWS)]
    flags = [None if i % 5 == 0 else i % 3 == 0 for i in range(ROWS)]
    words = [None if i % 9 == 0 else "ab"[i % 2] for i in range(ROWS)]
    ready = prepare(table(x=x, flag=flags, word=words, y=reals()), ["y"])
    inputs = ready.preparation.transform(ready.parts["train"])
    assert np.isfinite(inputs).all()
    assert ready.preparation.features == ("x", "flag", "word=a", "word=b")
    assert set(np.unique(inputs[:, 1])) == {0.0, 1.0}
    assert (inputs[:, 2:].sum(axis=1) == 1).all()


def test_new_categories_are_all_zeros():
    preparation = prepare(table(y=reals()), ["y"]).preparation
    strange = Table(pl.DataFrame({"x": [0.0], "word": ["never met"]}), "s", "s.csv")
    assert preparation.transform(strange)[0, 1:].tolist() == [0.0, 0.0]


def test_dates_are_days():
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=i) for i in range(ROWS)]
    moments = [datetime.datetime(2024, 1, 1, 12) + datetime.timedelta(days=i) for i in range(ROWS)]
    preparation = prepare(table(day=days, moment=moments, y=reals()), ["y"]).preparation
    mean = preparation.steps["numbers"].scale.mean
    assert preparation.numbers == ("x", "day", "moment")
    np.testing.assert_allclose(mean[2] - mean[1], 0.5)


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ([None] * ROWS, "no values"),
        ([3.0] * ROWS, "never changes"),
        ([f"name {i}" for i in range(ROWS)], "identifier"),
        ([[i] for i in range(ROWS)], "its type is List"),
    ],
)
def test_useless_columns_are_left_out_and_noted(column, why):
    ready = prepare(table(useless=column, y=reals()), ["y"])
    assert ready.preparation.columns == ("x", "word")
    assert any("useless" in note and why in note for note in ready.notes)


def test_row_numbers_are_left_out_but_not_other_sequences():
    ready = prepare(table(id=range(ROWS), time=range(ROWS), y=reals()), ["y"])
    assert ready.preparation.columns == ("x", "time", "word")


def test_a_few_words_among_numbers_are_missing_values():
    x = ["unknown" if i == 4 else str(i) for i in range(ROWS)]
    ready = prepare(table(x=x, y=reals()), ["y"])
    assert ready.preparation.numbers == ("x",)
    assert any("1 cell is not one (“unknown” in row 5): taken as missing" in n for n in ready.notes)
    assert np.isfinite(ready.preparation.transform(ready.parts["train"])).all()


def test_what_cannot_be_read_is_said_or_refused_of_later_tables_too():
    given = table(x=[str(i) for i in range(ROWS)], flag=cycled(True, False), y=reals())
    preparation = prepare(given, ["y"]).preparation
    assert preparation.unreadable(given) == []
    few = {"x": ["1,5", *cycled("2")[1:]], "flag": ["yes", "no", *cycled("true", "")[2:]]}
    notes = preparation.unreadable(table(**few, y=None))
    assert "“x” holds numbers, but 1 cell is not one (“1,5” in row 1)" in notes[0]
    assert "“flag” holds truth values, but 31 cells are not (the first: “yes” in row 1)" in notes[1]
    with pytest.raises(UserError, match=r"no cell.*“1,5” in row 3.*decimal point"):
        preparation.unreadable(table(x=[None, None, *cycled("1,5")[2:]], flag=cycled(True)))
    with pytest.raises(UserError, match="reads “flag” as true or false"):
        preparation.unreadable(table(flag=cycled("maybe")))
    missing = table(x=[float("nan")] * ROWS, flag=pl.Series([None] * ROWS, dtype=pl.String))
    assert preparation.unreadable(missing) == []


def test_rows_without_target_are_left_out():
    ready = prepare(table(y=[None, None, *cycled("a", "b")[2:]]), ["y"])
    assert sum(part.frame.height for part in ready.parts.values()) == ROWS - 2
    assert any("2 rows without “y” left out" in note for note in ready.notes)


def test_regression_targets_go_there_and_back():
    ready = prepare(table(y=reals() * 50 + 1000), ["y"])
    part, preparation = ready.parts["train"], ready.preparation
    scaled = preparation.transform_targets(part)
    assert scaled.shape == (36, 1) and scaled.dtype == np.float32
    np.testing.assert_allclose([scaled.mean(), scaled.std()], [0, 1], atol=1e-6)
    np.testing.assert_allclose(preparation.values(scaled), preparation.truths(part), rtol=1e-5)


def test_classes_go_there_and_back():
    ready = prepare(table(y=cycled(10, 9, 100)), ["y"])
    part, preparation = ready.parts["test"], ready.preparation
    assert preparation.classes == ("9", "10", "100")
    sure = np.eye(3)[preparation.transform_targets(part)]
    frame = preparation.predictions(sure)
    assert frame["predicted_y"].to_list() == [str(y) for y in part.frame["y"]]
    assert frame.columns[1:] == ["probability_9", "probability_10", "probability_100"]


def test_binary_outputs_are_the_probability_of_the_second_class():
    preparation = prepare(table(y=cycled("no", "yes")), ["y"]).preparation
    frame = preparation.predictions(np.array([[0.2], [0.9]]))
    assert frame["predicted_y"].to_list() == ["no", "yes"]
    np.testing.assert_allclose(frame["probability_no"], [0.8, 0.1])


@pytest.mark.parametrize("name", ["penguins", "linnerud", "breast_cancer"])
def test_a_preparation_survives_its_file(name):
    ready = prepare(datasets.load(name))
    loaded = Preparation.load(ready.preparation.dump())
    part = ready.parts["test"]
    for transform in (Preparation.transform, Preparation.transform_targets):
        np.testing.assert_array_equal(transform(loaded, part), transform(ready.preparation, part))
    assert loaded.describe() == ready.preparation.describe()
    assert loaded.features == ready.preparation.features


def test_preparations_of_newer_versions_and_of_nothing_are_refused():
    extras = prepare(table(y=reals()), ["y"]).preparation.dump()
    said = json.loads(extras["preparation.json"])
    newer = {**extras, "preparation.json": json.dumps({**said, "version": 99}).encode()}
    with pytest.raises(UserError, match="newer version"):
        Preparation.load(newer, "m")
    with pytest.raises(UserError, match="not trained on a table"):
        Preparation.load({}, "m")


@pytest.mark.parametrize(
    ("group", "given"),
    [
        ("numbers", {"fill": [0.0], "scale": {"mean": [0.0], "scale": [0.0]}}),
        ("numbers", {"fill": [0.0, 1.0], "scale": {"mean": [0.0], "scale": [1.0]}}),
        ("numbers", {"fill": ["a"], "scale": {"mean": [0.0], "scale": [1.0]}}),
        ("numbers", {"fill": [], "scale": {"mean": [], "scale": []}}),
        ("numbers", None),
        ("texts", {"fill": ["a"], "kept": ["a"], "rare": [[]]}),
        ("texts", {"fill": ["a"], "kept": [["a"]], "rare": []}),
        ("targets", {"mean": [0.0], "scale": [float("inf")]}),
        ("targets", {"mean": [0.0], "scale": [1.0], "more": 1}),
        ("os.system", {}),
    ],
)
def test_a_preparation_that_was_never_fitted_is_refused(group, given):
    extras = prepare(table(y=reals()), ["y"]).preparation.dump()
    said = json.loads(extras["preparation.json"])
    said["fitted"][group] = given
    with pytest.raises(UserError, match="holds what trasluz never writes"):
        Preparation.load({"preparation.json": json.dumps(said).encode()})


# ------------------------------------------------------------------- scikit-learn is the oracle


def test_rows_are_split_as_scikit_learn_splits_them():
    from sklearn.model_selection import train_test_split

    rng = np.random.default_rng(0)
    for seed in range(40):
        rows = np.sort(rng.permutation(200)[: rng.integers(40, 200)])
        count = int(rng.integers(8, rows.size // 2))
        labels = rng.choice(list("abcd"), 200, p=[0.6, 0.2, 0.1, 0.1])
        for given in (None, pl.Series(labels)):
            strata = None if given is None else labels[rows]
            if strata is not None and min(np.unique(strata, return_counts=True)[1]) < 2:
                continue
            wanted = train_test_split(rows, test_size=count, random_state=seed, stratify=strata)
            left, picked, mixed = split._draw(rows, count, given, seed)
            assert mixed
            np.testing.assert_array_equal(left, wanted[0])
            np.testing.assert_array_equal(picked, wanted[1])


def test_numbers_are_filled_and_scaled_as_by_scikit_learn():
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4)) * [1.0, 1e6, 1e-6, 0.0] + [0.0, 1e9, 1.0, 0.1]
    x[rng.random(x.shape) < 0.2] = np.nan
    fitted_here = fitted.Numbers.fit(x)
    theirs = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(x)
    new = rng.normal(size=(9, 4))
    new[0] = np.nan
    np.testing.assert_allclose(fitted_here.transform(new), theirs.transform(new), rtol=1e-9)
    scale, scaler = fitted.Scale.fit(x), StandardScaler().fit(x)
    np.testing.assert_allclose(scale.transform(x), scaler.transform(x), rtol=1e-9)
    np.testing.assert_allclose(scale.inverse_transform(new), scaler.inverse_transform(new))
    flags = np.where(np.isnan(x), np.nan, x > 0)
    usual = SimpleImputer(strategy="most_frequent").fit(flags)
    here = fitted.Booleans.fit(flags).transform(flags)
    np.testing.assert_array_equal(here, usual.transform(flags))


@pytest.mark.parametrize("categories", [3, 99, 101, 150])
def test_categories_are_those_of_scikit_learn(categories):
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(categories)
    names = np.array([None, *(f"c{i}" for i in range(categories))], object)
    x = np.concatenate([np.stack([names[1:]] * 2, 1), rng.choice(names, (200, 2))])
    encoder = OneHotEncoder(handle_unknown="ignore", max_categories=100, sparse_output=False)
    imputer = SimpleImputer(strategy="most_frequent", missing_values=None)
    theirs, here = make_pipeline(imputer, encoder).fit(x), fitted.Categories.fit(x)
    new = np.concatenate([x, np.array([["never met", None]], object)])
    np.testing.assert_array_equal(here.transform(new), theirs.transform(new))
    said = [f"x{i}_{name}" for i, names in enumerate(here.columns) for name in names]
    wanted = encoder.get_feature_names_out().tolist()
    assert [name.replace("…", "infrequent_sklearn") for name in said] == wanted


def test_scores_are_those_of_scikit_learn():
    from sklearn import metrics

    rng = np.random.default_rng(0)
    for column in (cycled("a", "b"), cycled(*"abc")):
        preparation = prepare(table(y=column), ["y"]).preparation
        truths = rng.integers(0, len(preparation.classes), 80)
        outputs = rng.random((80, preparation.outputs)).round(1).astype("float32")
        if preparation.outputs > 1:
            outputs = (outputs + 0.1) / (outputs + 0.1).sum(axis=1, keepdims=True)
        found = scores(preparation, truths, outputs)
        shares = preparation.probabilities(outputs).astype(float)
        shares /= shares.sum(axis=1, keepdims=True)
        guesses, labels = preparation.values(outputs), range(len(preparation.classes))
        wanted = {
            "accuracy": metrics.accuracy_score(truths, guesses),
            "f1": metrics.f1_score(truths, guesses, labels=labels, average="macro"),
            "crossentropy": metrics.log_loss(truths, shares, labels=labels),
        }
        if len(labels) == 2:
            wanted["auc"] = metrics.roc_auc_score(truths, shares[:, 1])
        assert found == pytest.approx(wanted, rel=1e-6)
    preparation = prepare(table(y=reals(), z=reals() * 2), ["y", "z"]).preparation
    truths, outputs = rng.normal(size=(30, 2)), rng.normal(size=(30, 2))
    truths[:, 1] = 2.0
    values, found = preparation.values(outputs), scores(preparation, truths, outputs)
    for i, name in enumerate("yz"):
        pair = truths[:, i], values[:, i]
        assert found[f"rmse {name}"] == pytest.approx(metrics.root_mean_squared_error(*pair))
        assert found[f"mae {name}"] == pytest.approx(metrics.mean_absolute_error(*pair))
        assert found[f"r2 {name}"] == pytest.approx(metrics.r2_score(*pair))


@pytest.mark.parametrize(
    ("columns", "targets", "settings", "said"),
    [
        ({"y": reals()}, ["z"], {}, "no column “z” to predict"),
        ({"yes": reals()}, ["yess"], {}, "did you mean “yes”"),
        ({"y": reals()}, [], {}, "no target was given; the columns are x, word, y"),
        ({"y": reals()}, ["y", "y"], {}, "given twice"),
        ({"y": [None] * ROWS}, ["y"], {}, "no row has a value in the target “y”"),
        ({"y": ["a"] * ROWS}, ["y"], {}, "“a” in every row"),
        ({"y": [2.5] * ROWS}, ["y"], {}, "2.5 in every row"),
        ({"y": ["oops", *map(str, reals()[1:])]}, ["y"], {}, "row 1 of the numeric .* “oops”"),
        ({"y": cycled("a", "b")}, ["y"], {"task": "regression"}, "row 1 .* holds “a”"),
        ({"y": cycled("a", "b"), "z": reals()}, ["z", "y"], {}, "several targets can only be"),
        ({"y": [f"n{i}" for i in range(ROWS)]}, ["y"], {}, "60 classes in 60 rows"),
        ({"y": cycled(*"abc")}, ["y"], {"task": "binary"}, "3 different values, not two"),
        ({"y": reals(), "z": reals()}, ["y", "z"], {"task": "binary"}, "as numbers, not as binary"),
        ({"y": reals()}, ["y"], {"task": "regresion"}, "did you mean 'regression'"),
        ({"y": reals(), "x": [1.0, np.inf] * 30}, ["y"], {}, "row 2 of the column “x” holds inf"),
        ({"y": reals(), "x": [1e200] * 60}, ["y"], {}, r"row 1 of the column “x” holds 1e\+200"),
        ({"y": [*reals()[1:], -np.inf]}, ["y"], {}, "row 60 of the column “y” holds -inf"),
        ({"y": reals(), "x": [1.0] * ROWS, "word": None}, ["y"], {}, "no column is left"),
        ({"y": reals()}, ["y"], {"validation": 0.5, "test": 0.5}, "nothing to train on"),
        ({"y": reals()}, ["y"], {"validation": -0.1}, "nothing to train on"),
    ],
)
def test_what_cannot_be_learnt_is_refused(columns, targets, settings, said):
    with pytest.raises(UserError, match=said) as caught:
        prepare(table(**columns), targets, **settings)
    assert caught.value.mend


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_too_few_rows_are_refused(rows):
    few = Table(pl.DataFrame({"x": [1.0, 2.0, 3.0], "y": [0.5, 1.5, 2.5]}).head(rows), "t", "t.csv")
    with pytest.raises(UserError, match=f"{rows} rows? (is|are) too few|in every row"):
        prepare(few, ["y"])
    if rows > 1:
        assert prepare(few, ["y"], validation=0, test=0).parts["train"].frame.height == rows


def test_tables_to_predict_are_checked():
    preparation = prepare(table(y=cycled("a", "b", "c")), ["y"]).preparation
    with pytest.raises(UserError, match="no column “word”, which the model reads"):
        preparation.transform(Table(pl.DataFrame({"x": [1.0], "words": ["a"]}), "t", "t"))
    with pytest.raises(UserError, match="row 2 of the column “x” holds inf"):
        preparation.transform(
            Table(pl.DataFrame({"x": [1.0, np.inf], "word": ["a", "b"]}), "t", "t")
        )


def test_tables_to_measure_on_are_checked_by_their_own_rows():
    preparation = prepare(table(y=cycled("a", "b", "c")), ["y"]).preparation
    columns = {"x": [1.0] * 4, "word": ["a"] * 4}
    labelled, notes = preparation.labelled(
        Table(pl.DataFrame({**columns, "y": ["a", None, "c", "b"]}), "t", "t")
    )
    assert preparation.truths(labelled).tolist() == [0, 2, 1]
    assert len(notes) == 1
    with pytest.raises(UserError, match="row 3 of “y” holds “q”, which the training never met"):
        preparation.labelled(Table(pl.DataFrame({**columns, "y": ["a", None, "q", "b"]}), "t", "t"))
    with pytest.raises(UserError, match="no column “y”, which predictions"):
        preparation.labelled(Table(pl.DataFrame(columns), "t", "t"))


def test_numeric_targets_to_measure_on_are_checked():
    preparation = prepare(table(y=reals()), ["y"]).preparation
    columns = {"x": [1.0] * 3, "word": ["a"] * 3}
    with pytest.raises(UserError, match="row 3 of the numeric target “y” holds “many”"):
        preparation.labelled(Table(pl.DataFrame({**columns, "y": [None, "1", "many"]}), "t", "t"))
    constant = Table(pl.DataFrame({**columns, "y": [1.0, 1.0, 1.0]}), "t", "t")
    assert preparation.labelled(constant)[0].frame.height == 3
