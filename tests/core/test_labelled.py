"""Texts with labels: every layout is read as published, every unusable row is reported, splits share no text."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from pez_core import PezError
from pez_core.targets import labelled_archive, labelled_files, labelled_rows
from pez_core.targets.labelled import Examples
from pez_core.targets.labelled_archive import find_dataset
from pez_core.targets.labelled_files import read_examples, read_lines


@pytest.fixture
def write(tmp_path):
    def written(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def pairs(examples: Examples) -> list[tuple[str, str]]:
    return [(text, examples.names[label]) for text, label in zip(examples.texts, examples.labels, strict=True)]


GOOD_AND_BAD = [("a fine day", "good"), ("rain, again", "bad")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", 'text,label\na fine day,good\n"rain, again",bad\n'),
        ("x.csv", '\ufefflabel,id,text\r\ngood,1,a fine day\r\n\r\nbad,2,"rain, again"'),
        ("x.TSV", "text\tlabel\na fine day\tgood\nrain, again\tbad\n"),
        ("x.jsonl", '{"text": "a fine day", "label": "good"}\n{"label": "bad", "text": "rain, again"}\n'),
        ("x.csv.gz", gzip.compress(b'text,label\na fine day,good\n"rain, again",bad\n', mtime=0)),
        (
            "x.jsonl.gz",
            gzip.compress(b'{"text":"a fine day","label":"good"}\n{"text":"rain, again","label":"bad"}', mtime=0),
        ),
    ],
)
def test_the_same_rows_from_every_kind_of_file(write, name, content):
    examples = read_examples(write(name, content))
    assert pairs(examples) == GOOD_AND_BAD
    assert examples.names == ("bad", "good")
    assert examples.skipped == ()
    assert examples.describe() == "2 texts: 1 bad, 1 good"


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    columns = {"text": ["a fine day", None, "rain, again"], "label": [1, 0, 0]}
    parquet.write_table(pyarrow.table(columns), path)
    assert read_examples(path).names == ("0", "1")
    features = {"text": {"_type": "Value"}, "label": {"_type": "ClassLabel", "names": ["bad", "good"]}}
    own = {"huggingface": json.dumps({"info": {"features": features}})}
    parquet.write_table(pyarrow.table(columns).replace_schema_metadata(own), path)
    examples = read_examples(path)
    assert pairs(examples) == GOOD_AND_BAD
    assert examples.skipped == ("Row 2: the text is empty.",)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(PezError, match=r"'x.parquet' cannot be read as Parquet"):
        read_examples(path)


def test_parquet_without_pyarrow_names_the_pip_line(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(PezError, match="need pyarrow: python -m pip install pyarrow"):
        read_examples(write("x.parquet", "PAR1"))


def test_several_text_columns_are_joined_and_labels_may_have_any_column(write):
    path = write("x.csv", "title,body,stars\nSun,all day,10\nRain,,9\n")
    examples = read_examples(path, text=["title", "body"], label="stars")
    assert pairs(examples) == [("Sun all day", "10"), ("Rain", "9")]
    assert examples.names == ("9", "10")


def test_sst2(write):
    rows = 'sentence\tlabel\nit \'s a "charming journey \t1\nno "plot" at all \t0\n'
    examples = read_examples(write("train.tsv", rows))
    assert pairs(examples) == [("it 's a \"charming journey", "positive"), ('no "plot" at all', "negative")]
    assert examples.names == ("negative", "positive")


AG_NEWS = '"3","Oil up","Prices rose ""again""."\n"1","Talks","They met."\n"4","Chips","Smaller."\n"2","Cup","3-1"\n'


def test_ag_news(write):
    examples = read_examples(write("train.csv", AG_NEWS))
    assert examples.names == ("World", "Sports", "Business", "Sci/Tech")
    assert pairs(examples)[0] == ('Oil up Prices rose "again".', "Business")
    assert pairs(examples)[3] == ("Cup 3-1", "Sports")
    assert read_examples(write("train.csv", AG_NEWS), text="title").texts[1] == "Talks"


def test_a_part_of_ag_news_is_read_with_the_names_of_the_whole(write):
    names = read_examples(write("train.csv", AG_NEWS)).names
    part = write("test.csv", '"1","Talks","They met."\n"2","Cup","3-1"\n')
    assert [name for _, name in pairs(read_examples(part, names=names))] == ["World", "Sports"]
    assert [name for _, name in pairs(read_examples(part))] == ["negative", "positive"]


def test_amazon_polarity(write):
    examples = read_examples(write("train.csv", '"2","Great","Works, well"\n"1","Broken","It came\nbroken"\n'))
    assert pairs(examples) == [("Great Works, well", "positive"), ("Broken It came\nbroken", "negative")]


def test_other_numbers_of_classes_keep_their_numbers(write):
    rows = "".join(f'"{i}","Title {i}","Body"\n' for i in (5, 1, 3))
    assert read_examples(write("train.csv", rows)).names == ("1", "3", "5")


RATED = '1\t2.5\tA fine day.\r\n2\t-1\tMild.\r\n3_1\t-1.0625\t"Dull, caf\xe9.\r\n4\t0.2\tNo.\r\n5\tmany\tWhat?\r\n'


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_ratings_near_zero_are_counted_not_used(write, encoding):
    examples = read_examples(write("reviews_GroundTruth.txt", RATED.encode(encoding)))
    assert pairs(examples) == [("A fine day.", "positive"), ('"Dull, café.', "negative")]
    wrong, uncertain = examples.skipped
    assert wrong == "Line 5: its rating is not a number from -4 to 4: 'many'."
    assert uncertain.startswith("2 texts rated from -1 to 1 are not used")


def test_every_unusable_row_is_reported_with_its_line(write):
    rows = ["text,label", "sun,good", " ,good", "fog,", "a,b,good", "rain,bad", '"two\nlines",good', '"a"b,bad', "ice"]
    examples = read_examples(write("x.csv", "\n".join(rows)))
    assert examples.texts == ("sun", "rain", "two\nlines")
    assert [each.split(":")[0] for each in examples.skipped] == ["Line 3", "Line 4", "Line 5", "Line 9", "Line 10"]
    empty, missing, many, quoted, few = examples.skipped
    assert "text is empty" in empty
    assert "label is missing" in missing
    assert "3 fields, expected 2" in many
    assert "quotation marks do not match" in quoted
    assert "1 field, expected 2" in few


def test_a_quotation_mark_that_never_closes_is_reported_with_all_its_lines(write):
    examples = read_examples(write("x.csv", 'text,label\nsun,good\nrain,bad\n"fog,bad\nice,bad\n'))
    assert examples.texts == ("sun", "rain")
    assert examples.skipped[0].startswith("Lines 4 to 5: its quotation marks do not match")


def test_unusable_lines_of_json(write):
    lines = [
        '{"text": "sun", "label": true}',
        "{text: sun}",
        "[1]",
        '{"text": "rain", "label": false}',
        '{"text": 7, "label": true}',
        '{"text": "fog", "label": NaN}',
        '{"text": "fog", "label": [1]}',
        '{"label": true}',
        '{"text": "\\ud800", "label": true}',
        "[" * 100_000,
    ]
    examples = read_examples(write("x.jsonl", "\n".join(lines)))
    assert pairs(examples) == [("sun", "true"), ("rain", "false")]
    assert [each.split(":")[0] for each in examples.skipped] == [f"Line {i}" for i in (2, 3, 5, 6, 7, 8, 9, 10)]


def test_labels_that_are_not_in_names_are_reported(write):
    path = write("x.csv", "text,label\nsun,good\nfog,neutral\nrain,bad\n")
    examples = read_examples(path, names=["good", "bad"])
    assert examples.names == ("good", "bad")
    assert examples.labels == (0, 1)
    assert examples.skipped == ("Line 3: the label 'neutral' is none of good, bad.",)
    with pytest.raises(PezError, match=r"No row of 'x.csv' can be used. Line 2: the label 'good' is none of yes, no"):
        read_examples(path, names=["yes", "no"])


def test_a_file_to_test_on_may_have_one_label_only(write):
    examples = read_examples(write("x.csv", "text,label\nsun,good\n"), names=["bad", "good"])
    assert examples.labels == (1,)


def test_reports_are_bounded_and_the_rest_is_counted(write, monkeypatch):
    monkeypatch.setattr(labelled_files, "MOST_REPORTED", 2)
    examples = read_examples(write("x.csv", "text,label\nsun,good\nrain,bad\n" + ",bad\n" * 5))
    assert examples.skipped[1:] == ("Line 5: the text is empty.", "3 more rows cannot be used.")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", "", "'x.csv' is empty"),
        ("x.csv", "text,label\n", "It has only a header"),
        ("x.csv", "words,label\nsun,good\n", r"no column 'text' in 'x.csv'.*'words', 'label'"),
        ("x.csv", "text,label,text\nsun,good,x\n", "2 columns 'text'"),
        ("x.csv", "text,label\nsun,good\nfog,good\n", "All texts of 'x.csv' have the label 'good'.*needed.$"),
        ("x.csv", "text,label\nsun,good\nfog,\n", "needed. A row that cannot be used: Line 3: the label is missing.$"),
        ("x.csv", "text,label\rsun,good\rfog,bad\r", "line ends of one character, CR: save the file with LF or CRLF"),
        ("x.csv", b"text,label\nsun,good\ncaf\xe9,bad\n", "Line 3 of 'x.csv' is not UTF-8"),
        ("x.csv", "text,label\nsun,good\n".encode("utf-16-le"), "not UTF-8"),
        ("x.csv.gz", "text,label\nsun,good\n", "'x.csv.gz' cannot be read"),
        ("x.csv.gz", gzip.compress(b"text,label\nsun,good\nfog,bad\n", mtime=0)[:-9], "'x.csv.gz' cannot be read"),
        ("x.json", '[{"text": "sun", "label": 1}]', "'x.json' has no JSON object on a line of its own"),
        ("x.xlsx", "PK", r"no known kind: give a file that ends in .csv, .tsv"),
    ],
)
def test_files_that_cannot_be_used(write, name, content, message):
    with pytest.raises(PezError, match=message):
        read_examples(write(name, content))


def test_files_that_are_not_there_or_too_large(tmp_path, write, monkeypatch):
    with pytest.raises(PezError, match="There is no file"):
        read_examples(tmp_path / "none.csv")
    with pytest.raises(PezError, match="is not a file"):
        read_examples(tmp_path)
    large = write("large.csv", "text,label\n")
    os.truncate(large, 2_100_000_000)  # takes no room on the disk
    with pytest.raises(PezError, match=r"'large.csv' has 2.1 GB: at most 2 GB and 5 million lines"):
        read_examples(large)
    monkeypatch.setattr(labelled_rows, "MOST_LINES", 4)
    with pytest.raises(PezError, match=r"'long.csv' has more than"):
        read_examples(write("long.csv", "text,label\n" + "sun,good\nrain,bad\n" * 2))
    monkeypatch.setattr(labelled_rows, "MOST_BYTES", 1000)
    with pytest.raises(PezError, match=r"'packed.csv.gz' has more than"):
        read_examples(write("packed.csv.gz", gzip.compress(b"text,label\n" + b"x" * 5000, mtime=0)))


def test_a_column_that_holds_no_labels_is_refused(write):
    rows = "".join(f"text {i},{i}\n" for i in range(1001))
    with pytest.raises(PezError, match=r"column 'label' of 'x.csv' has 1001 different labels"):
        read_examples(write("x.csv", "text,label\n" + rows))


def many(*counts: int) -> Examples:
    labels = tuple(label for label, count in enumerate(counts) for _ in range(count))
    return Examples(tuple(f"text {i}" for i in range(len(labels))), labels, ("a", "b", "c")[: len(counts)])


def test_parts_share_no_text_and_keep_the_balance():
    examples = many(600, 300, 100)
    parts = examples.split(500, 100, 100, seed=3)
    texts = [text for part in parts for text in part.texts]
    assert len(set(texts)) == len(texts) == 700
    assert [Counter(part.labels) for part in parts] == [{0: 300, 1: 150, 2: 50}, *[{0: 60, 1: 30, 2: 10}] * 2]
    label_of = dict(pairs(examples))
    assert all(label_of[text] == name for part in parts for text, name in pairs(part))
    assert list(parts[0].labels) != sorted(parts[0].labels)


def test_balance_is_within_one_text_where_sizes_do_not_divide():
    for part in many(503, 497).split(333, 101, 7, seed=0):
        assert abs(part.labels.count(0) - len(part) * 0.503) <= 1
    whole = many(5, 3, 3)
    assert sorted(text for part in whole.split(4, 4, 3, seed=0) for text in part.texts) == sorted(whole.texts)


def test_the_same_seed_gives_the_same_parts():
    examples = many(50, 50)
    assert examples.split(20, 10, seed=1) == examples.split(20, 10, seed=1)
    assert examples.split(20, 10, seed=1) != examples.split(20, 10, seed=2)
    assert examples.few(4, seed=1) == examples.few(4, seed=1)


def test_splits_that_are_not_possible():
    with pytest.raises(PezError, match=r"10 texts are too few for a split of 8 \+ 2 \+ 1 = 11"):
        many(5, 5).split(8, 2, 1, seed=0)
    with pytest.raises(PezError, match="at least 1 text, not 4, 0"):
        many(5, 5).split(4, 0, seed=0)


def test_texts_that_are_held_out_are_not_learned_from():
    texts = ("sun", "rain", "fog", "sun", "sun", "wind", "hail", "snow")
    examples = Examples(texts, (0, 1, 1, 0, 0, 0, 1, 1), ("good", "bad"))
    for seed in range(8):
        train, held_out = examples.hold_out(3, seed)
        assert not set(train.texts) & set(held_out.texts)
        left_out = len(texts) - 3 - len(train)
        assert len(held_out) == 3
        assert bool(train.skipped) == bool(left_out)
        if left_out:
            assert train.skipped[0] == f"{left_out} text{'s'[: left_out > 1]} to learn from left out: held out as well."
    with pytest.raises(PezError, match="are the same as those to learn from"):
        Examples(("sun",) * 4, (0, 1, 0, 1), ("good", "bad")).hold_out(2, 0)
    texts = ("sun",) * 3 + ("rain", "fog", "wind", "hail", "snow", "storm")
    with pytest.raises(PezError, match="with the label 'good' are held out as well"):
        Examples(texts, (0,) * 3 + (1,) * 6, ("good", "bad")).hold_out(3, 0)


def test_a_fifth_is_held_out_and_500_at_most():
    assert [len(part) for part in many(50, 50).hold_out(None, seed=0)] == [80, 20]
    assert [len(part) for part in many(3000, 3000).hold_out(None, seed=0)] == [5500, 500]
    assert [len(part) for part in many(5, 5).hold_out(7, seed=0)] == [3, 7]
    assert [len(part) for part in many(1, 1).hold_out(None, seed=0)] == [1, 1]
    assert many(50, 50).hold_out(None, seed=0)[0].skipped == ()
    with pytest.raises(PezError, match="must be from 1 to 9"):
        many(5, 5).hold_out(10, seed=0)


def test_lines_with_a_label_before_a_colon():
    examples = read_lines("b: one: two\n\n a :three\nnothing\n: four\nc:\n", "the widget")
    assert pairs(examples) == [("one: two", "b"), ("three", "a")]
    assert examples.skipped == (
        "Line 4: it has no colon after its label: 'nothing'.",
        "Line 5: the label is missing.",
        "Line 6: the text is empty.",
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (" \n", "The widget is empty: write one text per line, as label: text"),
        ("one\ntwo", "No row of 'the widget' can be used. Line 1"),
        ("a: one\na: two", "two or more labels"),
    ],
)
def test_lines_that_are_of_no_use(written, said):
    with pytest.raises(PezError, match=said):
        read_lines(written, "the widget")


def test_a_few_of_each_label():
    few = many(50, 3).few(3, seed=0)
    assert Counter(few.labels) == {0: 3, 1: 3}
    assert len(set(few.texts)) == 6
    with pytest.raises(PezError, match="only 3 texts with the label 'b', fewer than 4"):
        many(50, 3).few(4, seed=0)
    with pytest.raises(PezError, match="not 0"):
        many(50, 3).few(0, seed=0)


def test_balanced():
    assert Counter(many(50, 7, 9).balanced(seed=0).labels) == {0: 7, 1: 7, 2: 7}
    with pytest.raises(PezError, match="No text has the label 'b'"):
        many(50, 0).balanced(seed=0)


def test_selected_examples_keep_names_and_order():
    assert pairs(many(2, 2).select([3, 0])) == [("text 3", "b"), ("text 0", "a")]


def test_examples_that_do_not_fit_together():
    for texts, labels, names in [(("x",), (0, 1), ("a", "b")), (("x",), (2,), ("a", "b")), (("x",), (0,), ("a", "a"))]:
        with pytest.raises(PezError):
            Examples(texts, labels, names)


def packed(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


SENTENCES = "1\t3.2\tA joy from first to last.\r\n2\t-2.4\tTwo hours I will not get back.\r\n3\t0.1\tIt ends.\r\n"
PACKAGE = "vaderSentiment-3.3.2.tar.gz"


def package(sentences: bytes = SENTENCES.encode()) -> bytes:
    inner = packed(
        {"hutto/movieReviewSnippets_anonDataRatings.txt": b"x", "hutto/movieReviewSnippets_GroundTruth.txt": sentences}
    )
    folder = "vaderSentiment-3.3.2"
    return packed(
        {f"{folder}/setup.py": b"raise SystemExit", f"{folder}/additional_resources/hutto_ICWSM_2014.tar.gz": inner}
    )


@pytest.fixture
def places(tmp_path, monkeypatch):
    """An empty current folder, an empty home with Downloads, and another folder."""
    for name in ("here", "home/Downloads", "other"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    return tmp_path


@pytest.mark.parametrize("place", ["here", "home/Downloads", "other"])
def test_a_downloaded_data_set_is_read_in_place(places, place):
    (places / place / PACKAGE).write_bytes(package())
    before = sorted(places.rglob("*"))
    examples = read_examples(find_dataset("movie-reviews", places / "other"))
    assert pairs(examples) == [
        ("A joy from first to last.", "positive"),
        ("Two hours I will not get back.", "negative"),
    ]
    assert sorted(places.rglob("*")) == before


def test_a_data_set_that_is_not_there_names_the_pip_line(places):
    with pytest.raises(PezError, match=r"python -m pip download --no-deps --no-binary :all: vaderSentiment==3.3.2$"):
        find_dataset("movie-reviews")
    with pytest.raises(PezError, match="choose one of movie-reviews, amazon-reviews, news-editorials, tweets"):
        find_dataset("movies")
    with pytest.raises(PezError, match="There is no folder"):
        find_dataset("tweets", places / "none")


def test_archives_that_cannot_be_used(places, monkeypatch):
    file = places / "here" / PACKAGE
    file.write_bytes(package())
    with pytest.raises(PezError, match=r"it has no tweets_GroundTruth.txt.*download it again"):
        read_examples(find_dataset("tweets"))
    monkeypatch.setattr(labelled_archive, "MOST_BYTES", 2**20)
    file.write_bytes(package(b"1\t2\t" + bytes(2**21)))
    with pytest.raises(PezError, match="it unpacks to more than 1 MB"):
        read_examples(find_dataset("movie-reviews"))
    for broken in (b"nothing", package()[:300], packed({"x/hutto_ICWSM_2014.tar.gz": b"nothing"})):
        file.write_bytes(broken)
        with pytest.raises(PezError, match="download it again"):
            read_examples(find_dataset("movie-reviews"))
