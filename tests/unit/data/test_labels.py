"""Tables of labels as people have them: right ones, odd ones, and wrong ones."""

import csv
import gzip
import io
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_sources import make_folder, make_tar, make_zip

from petite.data.labels import LabelColumns, LabelTable, read_labels, said
from petite.data.sources import Source, listing, open_source
from petite.util.errors import PetiteError
from petite.util.notices import Notices

MAKERS: dict[str, Callable[[Path, dict[str, bytes]], Path]] = {
    "folder": make_folder,
    "zip": make_zip,
    "tar": make_tar,
}
NAMES = [f"{number}.jpg" for number in range(1, 9)]
IMAGES = dict.fromkeys(NAMES, b"x")
WANTED = {f"{'ab'[number % 2]}/{name}" for number, name in enumerate(NAMES)}


def table(
    header: str = "file,label", row: str = "{name},{label}", joint: str = "\n", count: int = 8
) -> str:
    """A table with a row for each of the images."""
    rows = [
        row.format(name=name, stem=name[:-4], label="ab"[place % 2], number=place % 2, place=place)
        for place, name in enumerate(NAMES[:count])
    ]
    return joint.join([header, *rows, ""])


def with_row(row: str, header: str = "file,label", others: str = "") -> str:
    """A table of all images but for its last row."""
    return table(header, "{name},{label}" + others, count=7) + row


def read(data: str | bytes, name: str = "labels.csv", **columns: Any) -> LabelTable:
    data = data.encode() if isinstance(data, str) else data
    return read_labels(io.BytesIO(data), name, LabelColumns(name, **columns))


def parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def ids(source: Source, share: float = 0.1) -> set[str]:
    with source:
        return set(listing(source, None, None, share)["image_id"])


# --- the text of a table

RECORDS = [
    {"file": name, "label": "ab"[place % 2], "box": [1, 2], "more": {"x": 1}}
    for place, name in enumerate(NAMES)
]
WAYS: dict[str, str | bytes] = {
    "commas": table(),
    "semicolons": table("file;label", "{name};{label}"),
    "tabs": table("file\tlabel", "{name}\t{label}"),
    "bars": table("file|label", "{name}|{label}"),
    "a line for Excel": "sep=;\n" + table("file;label", "{name};{label}"),
    "commas in a table of semicolons": table("file;label;note", "{name};{label};1,5"),
    "a byte-order mark": table().encode("utf-8-sig"),
    "UTF-16": table().encode("utf-16"),
    "UTF-16 with tabs": table("file\tlabel", "{name}\t{label}").encode("utf-16"),
    "Latin-1": table("file,label,note", "{name},{label},caf\xe9").encode("latin-1"),
    "records of JSON": json.dumps(RECORDS, indent=1),
    "a record of JSON on each line": "\n".join(map(json.dumps, RECORDS)),
    "lines of Windows": table(joint="\r\n"),
    "lines of old Macs": table(joint="\r"),
    "no end of the last line": table().rstrip(),
    "blank lines": "\n\n" + table(joint="\n\n") + "\n\n",
    "quotation marks": table('"file","label"', '"{name}","{label}"'),
    "spaces after commas": table("file, label", '{name}, "{label}"'),
    "spaces at both ends": table(" file , label ", " {name} , {label} "),
    "trailing commas": table("file,label,", "{name},{label},"),
    "trailing commas of rows alone": table("file,label", "{name},{label},,"),
    "rows that end early": table("file,label,note,more", "{name},{label}"),
    "rows without a value": table() + ",,\n,\n",
    "numbers of rows": table(",file,label", "{place},{name},{label}"),
    "tabs and numbers of rows": table("\tfile\tlabel", "{place}\t{name}\t{label}"),
    "a comma in quotation marks": table("file,note,label", '{name},"a, b",{label}'),
    "a new line in quotation marks": table("file,note,label", '{name},"a\nb\n\nc",{label}'),
    "a quotation mark within a value": table("file,note,label", '{name},5" wide,{label}'),
    "doubled quotation marks": table("file,note,label", '{name},"a ""b"" c",{label}'),
    "gzip": gzip.compress(table().encode()),
    "capitals": table("FILE,Label"),
    "camels": table("fileName,className"),
    "spaces in names": table("File Name,Class Name"),
    "hyphens in names": table("file-name,class-name"),
    "ids and diagnoses": table("image_id,diagnosis"),
    "a name and a path": table("name,filename,path,label", "x,{name},images/{name},{label}"),
    "a file and an id": table("id,file,label", "{place},{name},{label}"),
    "an image and an id": table("id,image,category", "{place},{name},{label}"),
    "two columns of which one is known": table("name_of_it,label"),
    "two columns of which the file is known": table("image,sort"),
    "numbers beside the names of classes": table(
        "file,label,class_name", "{name},{number},{label}"
    ),
    "one column per label": "image,a,b\n"
    + "".join(f"{n[:-4]},{1 - p % 2},{p % 2}\n" for p, n in enumerate(NAMES)),
    "one column per label, and rows without a value": "image,a,b\n\n,,\n"
    + "".join(f"{n[:-4]},{1 - p % 2},{p % 2}\n , ,\n" for p, n in enumerate(NAMES)),
    "one column per label, with points": "image,a,b,age\n"
    + "".join(f"{n},{1 - p % 2}.0,{p % 2}.0,{p + 30}\n" for p, n in enumerate(NAMES)),
    "no suffix": table(row="{stem},{label}"),
    "a dot and a slash": table(row="./{name},{label}"),
    "a dot and a backslash": table(row=".\\{name},{label}"),
    "the name of the folder": table(row="images/{name},{label}"),
    "the name of the folder, without suffix": table(row="images/{stem},{label}"),
    "a path of another machine": table(row="/home/me/images/{name},{label}"),
    "a path of Windows": table(row="C:\\data\\images\\{name},{label}"),
    "a URL of the folder": table(row="https://example.org/images/{name},{label}"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_table_is_read_however_it_is_written(way: str, tmp_path: Path) -> None:
    data = WAYS[way]
    (tmp_path / "labels.csv").write_bytes(data.encode() if isinstance(data, str) else data)
    folder = make_folder(tmp_path / "images", IMAGES)
    labels = LabelColumns(str(tmp_path / "labels.csv"))
    assert ids(open_source("folder", folder, labels=labels)) == WANTED


ROWS: dict[str, tuple[str, list[int]]] = {
    "none blank": ("file,label\n1,a\n2,b\n", [2, 3]),
    "a row of separators": ("file,label\n,\n1,a\n2,b\n", [3, 4]),
    "separators of a wider sheet": ("file,label\n,,\n1,a\n2,b\n", [3, 4]),
    "an empty line": ("file,label\n1,a\n\n2,b\n", [2, 4]),
    "a line of spaces": ("file,label\n1,a\n  \n2,b\n", [2, 4]),
    "empty lines before": ("\n\nfile,label\n1,a\n2,b\n", [4, 5]),
    "separators before": (",\nfile,label\n1,a\n2,b\n", [3, 4]),
    "both before": ("\n,\nfile,label\n1,a\n2,b\n", [4, 5]),
    "empty lines after": ("file,label\n1,a\n2,b\n\n\n", [2, 3]),
    "the lines of Windows": ("\r\nfile,label\r\n1,a\r\n\r\n2,b\r\n", [3, 5]),
    "the lines of old Macs": ("\rfile,label\r1,a\r\r2,b\r", [3, 5]),
    "a line for Excel, which it does not show": ("sep=;\nfile;label\n1;a\n\n2;b\n", [2, 4]),
    "quotation marks": ('file,label\n"1",a\n\n2,b\n', [2, 4]),
    "lines in quotation marks": ('file,label,note\n1,a,"x\n\ny"\n,,\n2,b,\n', [2, 4]),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows_have_the_numbers_that_a_spreadsheet_shows(case: str) -> None:
    text, numbers = ROWS[case]
    rows = read(text).rows
    assert rows["file"].tolist() == ["1", "2"] and rows["row"].tolist() == numbers


PARQUETS: dict[str, bytes] = {
    "text": parquet(file=NAMES, label=["a", "b"] * 4),
    "a dictionary": parquet(file=NAMES, label=pa.array(["a", "b"] * 4).dictionary_encode()),
    "large text": parquet(file=pa.array(NAMES, pa.large_string()), label=["a", "b"] * 4),
    "bytes beside": parquet(image=[b"x"] * 8, file=NAMES, label=["a", "b"] * 4),
    "a time and a duration beside": parquet(
        file=NAMES,
        label=["a", "b"] * 4,
        day=pa.array([1] * 8, pa.date32()),
        lasts=pa.array([1] * 8, pa.duration("s")),
        nothing=pa.nulls(8),
    ),
    "a list beside": parquet(file=NAMES, box=[[1, 2]] * 8, label=["a", "b"] * 4),
}


@pytest.mark.parametrize("way", PARQUETS)
def test_a_parquet_file_is_read_whatever_its_types(way: str) -> None:
    rows = read(PARQUETS[way], "labels.parquet").rows
    assert rows["file"].tolist() == NAMES and rows["label"].tolist() == ["a", "b"] * 4


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([7, 10], ["7", "10"]),
        ([True, False], ["True", "False"]),
        ([3.0, 0.5], ["3.0", "0.5"]),
        (pa.array([3.0, 0.1], pa.float32()), ["3.0", "0.10000000149011612"]),
        (pa.array([2**63, 1], pa.uint64()), [str(2**63), "1"]),
        (["007", "no"], ["007", "no"]),
        (pd.Categorical([10, 7]), ["10", "7"]),
    ],
)
def test_a_label_of_any_type_is_its_text(values: Any, words: list[str]) -> None:
    values = pa.array(values)
    many = pa.concat_arrays(
        [values.dictionary_decode() if hasattr(values, "indices") else values] * 2
    )
    assert read(parquet(file=NAMES[:4], label=many)).rows["label"].tolist() == words * 2


def test_values_of_json_are_their_text() -> None:
    values = [1, True, None, 2.5, float("nan"), "\ud800"]
    records = [{"file": f"{n}.jpg", "label": label} for n, label in enumerate(values)]
    found = read(json.dumps(records), label="label").rows["label"].tolist()
    assert found == ["1", "True", "", "2.5", "", "?"]


def test_missing_values_of_parquet_are_rows_without_a_label() -> None:
    data = parquet(file=NAMES[:5], label=[1.0, None, float("nan"), 2.0, 1.0])
    assert read(data).rows["label"].tolist() == ["1.0", "", "", "2.0", "1.0"]


@pytest.mark.parametrize(
    "label",
    ["no", "NO", "007", "1.0", "1e3", "NA", "N-A", "nan", "null", "None", "true", "-", "=1"]
    + ["caf\xe9", "猫", "a b", "a, b", 'the "best"', "a\nb", "~", "#1", "'", "%", "{x}", "*", "?"],
)
def test_a_label_stays_the_text_that_it_is(label: str, tmp_path: Path) -> None:
    found = written_and_read([label, "other"])
    assert set(found["label"]) == {label, "other"}
    folder = make_folder(tmp_path / "images", dict.fromkeys(found["file"], b"x"))
    found.to_csv(tmp_path / "labels.csv", index=False)
    source = open_source("folder", folder, labels=LabelColumns(str(tmp_path / "labels.csv")))
    assert ids(source) == set(found["label"] + "/" + found["file"])


def written_and_read(labels: list[str]) -> pd.DataFrame:
    """What Python's csv writes, as it is read: three images of each label."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["file", "label"])
    writer.writerows(
        [f"{place}-{copy}.jpg", label] for place, label in enumerate(labels) for copy in range(3)
    )
    return read(text.getvalue()).rows[["file", "label"]]


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=20
).filter(lambda text: text.strip() and text.strip() not in (".", ".."))


@given(st.lists(TEXTS, min_size=2, max_size=4))
def test_any_text_is_read_back_without_spaces_at_its_ends_and_in_normal_form(
    labels: list[str],
) -> None:
    wanted = [trimmed(label) for label in labels]
    if len(set(wanted)) < 2 or "" in wanted or {".", ".."} & {*wanted}:
        return
    assert written_and_read(labels)["label"].tolist() == [name for name in wanted for _ in range(3)]


def trimmed(label: str) -> str:
    """What Unicode calls spaces at the ends is trimmed."""
    return unicodedata.normalize("NFC", label).strip()


# --- wrong tables

TWO = {"file": "file", "label": "label"}
WRONG: dict[str, tuple[str | bytes, dict[str, str], tuple[str, ...]]] = {
    "nothing": ("", {}, ("empty",)),
    "spaces": (" \n \n", {}, ("empty",)),
    "separators": (",,\n,,\n", {}, ("empty",)),
    "a header alone": ("file,label\n", {}, ("no rows",)),
    "a header and blank rows": ("file,label\n,\n,\n", {}, ("no rows",)),
    "no header": (table().split("\n", 1)[1], {}, ("labels.file", "1.jpg", "first row")),
    "one column": (table("file", "{name}"), {}, ("one column",)),
    "another separator": (table("file:label", "{name}:{label}"), {}, ("one column", "semicolons")),
    "a space as separator": (table("file label", "{name} {label}"), {}, ("one column",)),
    "no files": (table("label,age"), TWO, ("labels.file", "'file'", "label, age")),
    "no known file": (table("x,y1,label", "{name},1,{label}"), {}, ("labels.file", "x, y1")),
    "no known label": (
        table("file,x1,x2", "{name},3,{label}"),
        {},
        ("labels.label", "label: x2}", "x1, x2"),
    ),
    "tiles and no known label": (
        table("file,row,y,kind", "{name},{number},256,{label}"),
        {},
        ("labels.label", "label: kind}"),
    ),
    "cameras and a column of labels": (
        table("file,cam_1,cam_2,cam_3,animal", "{name},1,0,0,{label}", count=6)
        + "7.jpg,0,1,0,a\n8.jpg,0,0,1,b\n",
        {},
        ("label: animal}", "label: [cam_1, cam_2, cam_3]}"),
    ),
    "a flag that is none": (
        table("file,a,b,label", "{name},1,{place},{label}"),
        {"label": ["a", "b"]},
        ("labels.label", "'b'", "0 and 1"),
    ),
    "a flag that is not there": (table(), {"label": ["a"]}, ("labels.label", "'a'", "file, label")),
    "a place and no label": (
        table("file,x,y", "{name},12.5,{number}"),
        {},
        ("labels.label", "label: y}"),
    ),
    "flags and a column of labels": (
        table("file,left,right,grade_of_eye", "{name},1,0,{label}", count=7) + "8.jpg,0,1,a\n",
        {},
        ("labels.label", "left, right", "label: grade_of_eye}"),
    ),
    "two columns in the second place": (
        with_row("8.jpg,a,2\n", "file,type,finding", ",1"),
        {},
        ("labels.label", "type, finding"),
    ),
    "two files": (
        table("file,path,label", "{name},{number},{label}"),
        {},
        ("labels.file", "file, path"),
    ),
    "two labels": (
        table("file,label,class", "{name},{label},{place}"),
        {},
        ("labels.label", "label, class"),
    ),
    "two groups": (
        table("file,label,patient,subject", "{name},{label},{place},{number}"),
        {},
        ("labels.group", "patient, subject"),
    ),
    "an unknown column": (table(), {"label": "lable"}, ("labels.label", "'lable'", "file, label")),
    "an unknown split": (table(), {"split": "fold"}, ("labels.split", "'fold'")),
    "a column twice": (
        table("file,label,label", "{name},{label},{label}"),
        {},
        ("two columns", "'label'"),
    ),
    "a column twice, with spaces": (
        table("file,label,label ", "{name},{label},{label}"),
        {},
        ("two columns", "'label'"),
    ),
    "a row too long": (with_row("8.jpg,a,b\n"), {}, ("line 9", "3 fields")),
    "a quotation mark left open": (with_row('8.jpg,"a\n'), {}, ("line 9", "quotation")),
    "text behind a quotation mark": (with_row('8.jpg,"a" b\n'), {}, ("line 9", "quotation")),
    "a zip": (b"PK\x03\x04....", {}, ("Excel", "CSV")),
    "an old Excel file": (b"\xd0\xcf\x11\xe0....", {}, ("Excel", "CSV")),
    "gzip cut short": (gzip.compress(table().encode())[:-9], {}, ("damaged",)),
    "gzip of nothing": (gzip.compress(b""), {}, ("empty",)),
    "Parquet cut short": (parquet(file=NAMES, label=["a", "b"] * 4)[:-9], {}, ("damaged",)),
    "Parquet of bytes": (parquet(file=[b"x"] * 8, label=["a", "b"] * 4), {}, ("labels.file",)),
    "Parquet without rows": (
        parquet(file=pa.array([], "str"), label=pa.array([], "str")),
        {},
        ("no rows",),
    ),
    "zero bytes": (b"file,label\n\0\0,a\n", {}, ("zero bytes",)),
    "UTF-16 without its mark": (table().encode("utf-16-le"), {}, ("zero bytes",)),
    "an image": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", {}, ("zero bytes",)),
    "a web page": ("<!doctype html>\n<html></html>", {}, ("one column",)),
    "flags of a split alone": (
        table("file,is_train,is_test", "{name},{number},1"),
        {},
        ("labels.label", "is_train"),
    ),
    "JSON of one record": ('{"file": "1.jpg", "label": "a"}\n', {}, ("all labels are 'a'",)),
    "JSON of a list": ('[["1.jpg", "a"], ["2.jpg", "b"]]', {}, ("no records", "list of records")),
    "JSON of nothing": ("[]", {}, ("no records",)),
    "JSON of annotations": (
        '[{"id": 1, "data": {"image": "1.jpg"}, "annotations": []}]',
        {},
        ("lists and groups", "id, data, annotations"),
    ),
    "JSON of a mapping": ('{"1.jpg": "a", "2.jpg": "b"}', {}, ("labels.file", "1.jpg")),
    "JSON with an end too early": ('[{"file": "1.jpg",\n "label', {}, ("line 2", "JSON")),
    "JSON that is too deep": ("[" * 100_000, {}, ("no valid JSON",)),
    "JSON on several lines": ('{"1.jpg":\n "a"}', {}, ("line 1", "list of records")),
    "JSON cut short": ('{"file": "1.jpg", "label": "a"}\n{"file": "2', {}, ("line 2", "JSON")),
    "a field without an end": (with_row("8.jpg," + "a" * 200_000), {}, ("200,000 characters",)),
    "one label": (table().replace(",b", ",a"), {}, ("'label'", "'a'", "two labels")),
    "no labels": (table(row="{name},"), {}, ("'label'", "no labels")),
    "a label for each image": (table(row="{name},{place}"), {}, ("'label'", "8 different labels")),
    "names as labels": (table("file,class", "{name},{name}"), {}, ("'class'", "1.jpg")),
    "no label in words": (with_row("8.jpg,N/A\n"), {}, ("'N/A'", "empty")),
    "no label in words, named": (with_row("8.jpg,#N/A\n"), TWO, ("'#N/A'",)),
    "a label of two dots": (with_row("8.jpg,..\n"), {}, ("'..'",)),
    "a label of one dot": (with_row("8.jpg,.\n"), {}, ("'.'",)),
    "a zero byte in a label": (parquet(file=NAMES, label=["a\0", "b"] * 4), {}, ("'a\\x00'",)),
    "a text as label": (with_row(f"8.jpg,{'word ' * 60}\n"), {}, ("'label'", "299 characters")),
    "a weight that is a word": (
        with_row("8.jpg,a,heavy\n", "file,label,sample_weight", ",1"),
        {},
        ("'sample_weight'", "row 9", "'heavy'"),
    ),
    "a negative weight": (
        with_row("8.jpg,a,-1\n", "file,label,sample_weight", ",1"),
        {},
        ("row 9", "'-1'"),
    ),
    "an infinite weight": (
        with_row("8.jpg,a,inf\n", "file,label,sample_weight", ",1"),
        {},
        ("row 9", "'inf'"),
    ),
    "a weight of NaN": (
        with_row("8.jpg,a,nan\n", "file,label,sample_weight", ",1"),
        {},
        ("row 9", "'nan'"),
    ),
    "a weight with a comma": (
        with_row('8.jpg,a,"0,5"\n', "file,label,sample_weight", ",1"),
        {},
        ("row 9", "'0,5'"),
    ),
    "no weight in a class": (
        table("file,label,weight", "{name},{label},{number}"),
        {"weight": "weight"},
        ("'weight'", "of a have"),
    ),
    "a word for keep": (
        with_row("8.jpg,a,maybe\n", "file,label,keep", ",always"),
        {},
        ("'keep'", "row 9", "'maybe'", "labels.keep"),
    ),
    "a number for keep": (with_row("8.jpg,a,2\n", "file,label,keep", ",1"), {}, ("row 9", "'2'")),
    "a fold as split": (
        table("file,label,split", "{name},{label},{number}"),
        {},
        ("'split'", "row 2", "'0'", "labels.split"),
    ),
    "an unknown part below blank rows": (
        "\nfile,label,set\n1.jpg,a,train\n\n,,,\n2.jpg,b,extra\n",
        {},
        ("row 6", "'extra'"),
    ),
    "a row too long below blank rows": ("\nfile,label\n1.jpg,a\n\n2.jpg,b,c\n", {}, ("line 5",)),
    "several of one column per label, below a blank row": (
        "image,a,b\n1.jpg,1,0\n\n2.jpg,1,1\n",
        {},
        ("row 4",),
    ),
    "an unknown part": (
        with_row("8.jpg,a,extra\n", "file,label,set", ",train"),
        {},
        ("'set'", "row 9", "'extra'"),
    ),
    "several of one column per label": ("image,a,b\n1.jpg,1,0\n2.jpg,1,1\n", {}, ("row 3", "a, b")),
    "none of one column per label": (
        "image,a,b\n1.jpg,1,0\n2.jpg,0,1\n3.jpg,0,0\n",
        {},
        ("row 4",),
    ),
    "one column of flags": (
        "image,positive,note\n1.jpg,1,x\n2.jpg,0,x\n",
        {},
        ("labels.label", "positive"),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_table_is_one_sentence_that_names_the_place(case: str) -> None:
    data, columns, said = WRONG[case]
    with pytest.raises(PetiteError) as error:
        read(data, "some.csv", **columns)
    text = str(error.value)
    assert all(part in text for part in said), text
    assert "\n" not in text and len(text) < 500
    assert "some.csv" in text


# --- its other columns


def test_other_columns_are_found_and_their_words_are_understood() -> None:
    header = "file,label,Set,patient_id,Sample Weight,keep\n"
    values = ["train,p1,,always", "Training,p1,0.5,TRUE", "val,,2,1", "VALID set,p2,1e1,yes"]
    values += ["validation,p2,0,never", "test,p3,1,no", ",p3,1,0", "dev,p4,1,"]
    text = header + "".join(
        f"{name},{'ab'[place % 2]},{value}\n"
        for place, (name, value) in enumerate(zip(NAMES, values, strict=True))
    )
    found = read(text)
    assert found.columns == {
        **{"file": "file", "label": "label", "split": "Set", "group": "patient_id"},
        **{"weight": "Sample Weight", "keep": "keep"},
    }
    rows = found.rows
    assert rows["split"].tolist() == ["train"] * 2 + ["validation"] * 3 + ["test", "", "validation"]
    assert rows["group"].tolist() == ["p1", "p1", "", "p2", "p2", "p3", "p3", "p4"]
    assert rows["weight"].tolist() == [1.0, 0.5, 2.0, 10.0, 0.0, 1.0, 1.0, 1.0]
    assert rows["keep"].tolist() == ["always"] * 4 + ["never", "", "", ""]


@pytest.mark.parametrize(
    ("role", "word", "is_doubtful"),
    [
        *[("patient", word, True) for word in ("nan", "NaN", "NULL", "None", "N/A", "unknown")],
        *[("label", word, True) for word in ("nan", "NULL", "<NA>")],
        # Names of classes, such as that of images without a defect.
        *[("label", word, False) for word in ("none", "unknown", "NA", "no")],
        ("patient", "", False),
        ("patient", "Nana", False),
    ],
)
def test_words_for_missing_values_that_count_as_names_are_said(
    role: str, word: str, is_doubtful: bool
) -> None:
    rows = [{"file": name, "label": f"l{place % 2}"} for place, name in enumerate(NAMES)]
    for place, row in enumerate(rows):
        row["patient"] = f"p{place}"
    for row in rows[:2]:
        row[role] = word
    found = read(pd.DataFrame(rows).to_csv(index=False))
    assert found.rows["label" if role == "label" else "group"].tolist()[:2] == [word] * 2
    said = [note for note in found.notes if repr(word) in note and repr(role) in note]
    assert bool(said) == is_doubtful, found.notes


def test_a_slash_in_a_label_becomes_an_underscore_and_is_said() -> None:
    text = "".join(f"{name},{('a/b/c', 'n/b', 'x')[i % 3]}\n" for i, name in enumerate(NAMES))
    found = read(f"file,label\n{text}")
    assert found.rows["label"].tolist()[:3] == ["a_b_c", "n_b", "x"]
    (said,) = (note for note in found.notes if "'a/b/c'" in note)
    assert "'a_b_c'" in said


@pytest.mark.parametrize(
    ("labels", "named"),
    [(["a/b", "a_b"], ["'a/b'", "'a_b'"]), (["a/b_c", "a_b/c"], ["'a/b_c'", "'a_b/c'"])],
)
def test_labels_that_are_the_same_without_slashes_are_refused(
    labels: list[str], named: list[str]
) -> None:
    text = "".join(f"{name},{labels[i % 2]}\n" for i, name in enumerate(NAMES))
    with pytest.raises(PetiteError) as caught:
        read(f"file,label\n{text}")
    assert all(text in str(caught.value) for text in named)


@pytest.mark.parametrize("column", ["weight", "Weight", "weights", "WEIGHT"])
def test_a_column_weight_is_that_of_training_only_if_it_is_named(column: str) -> None:
    text = table(f"file,label,{column}", "{name},{label},{place}2.5")
    found = read(text)
    assert "weight" not in found.columns and "weight" not in found.rows
    (note,) = found.notes
    assert repr(column) in note and f"labels: {{path: labels.csv, weight: {column}}}" in note
    named = read(text, weight=column)
    assert named.rows["weight"].iloc[1] == 12.5 and not named.notes


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (table("file,label,weight,sample_weight", "{name},{label},70,2"), {}),
        (table("file,weight", "{name},{label}"), {}),
        (table("file,weight,label", "{name},{label},x"), {"label": "weight"}),
        (table("file,label,weight_kg", "{name},{label},70"), {}),
    ],
)
def test_a_column_weight_is_not_mentioned_where_weights_or_its_use_are_known(
    text: str, columns: dict[str, str]
) -> None:
    assert read(text, **columns).notes == []


UNUSED = {
    "parts in other words": ("Usage", ["Training", "Training", "PublicTest", "PrivateTest"], None),
    "parts in known words": ("Usage", ["Training", "Testing"], "split: Usage"),
    "a flag of the test set": ("is_test", ["0", "1"], None),
    "a flag of the training set": ("isTraining", ["True", "False"], None),
    "folds": ("kfold", ["0", "1", "2", "3"], None),
    "lesions": ("lesion_id", ["l1", "l2", "l3", "l4"], "group: lesion_id"),
    "videos": ("Video Name", ["a", "b", "c", "d"], "group: Video Name"),
    "studies": ("StudyInstanceUID", ["1.2", "1.3", "1.4"], "group: StudyInstanceUID"),
}


def with_column(column: str, values: list[str]) -> str:
    rows = [f"{name},{'ab'[at % 2]},{values[at % len(values)]}" for at, name in enumerate(NAMES)]
    return "\n".join([f"file,label,{column}", *rows])


@pytest.mark.parametrize("case", UNUSED)
def test_a_column_that_may_be_a_split_or_groups_and_is_not_used_is_said(case: str) -> None:
    column, values, setting = UNUSED[case]
    notes = [note for note in read(with_column(column, values)).notes if f"{column!r}" in note]
    assert len(notes) == 1
    assert "not used" in notes[0]
    assert (setting or "column 'split'") in notes[0]


@pytest.mark.parametrize("case", UNUSED)
def test_a_column_that_is_used_is_not_said_to_be_unused(case: str) -> None:
    column, values, _ = UNUSED[case]
    role = "split" if "test" in column or column == "Usage" else "group"
    with_role = with_column(column, ["train", "test"] if role == "split" else values)
    assert not read(with_role, **{role: column}).notes


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("age", ["1", "2", "3"]),
        ("test", ["x"]),
        ("sex", ["m", "f"]),
        ("camera", ["one", "two"]),
        ("case", list("abcdefgh")),
        ("trained", ["0", "1"]),
    ],
)
def test_other_columns_are_not_mentioned(column: str, values: list[str]) -> None:
    assert not read(with_column(column, values)).notes


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["cat", "dog", "cat;dog"], "'cat;dog'"),
        (["cat", "dog", "cat dog"], "'cat dog'"),
        (["Effusion", "Mass", "Effusion|Mass"], "'Effusion|Mass'"),
        (["0", "1", "-1"], "'-1'"),
    ],
)
def test_labels_that_seem_to_be_several_or_none_are_said(labels: list[str], said: str) -> None:
    text = table(row="{name},{label}")
    for place, label in enumerate(labels):
        text = text.replace(f"{NAMES[place]},{'ab'[place % 2]}", f'{NAMES[place]},"{label}"')
    rest = text.replace(",a", f",{labels[0]}").replace(",b", f",{labels[1]}")
    assert any(said in note for note in read(rest).notes)


@pytest.mark.parametrize(
    "labels", [["apple, red", "apple, green"], ["1", "-1"], ["red fox", "fox"]]
)
def test_labels_of_several_words_are_labels(labels: list[str]) -> None:
    text = table(row='{name},"{label}"').replace('"a"', f'"{labels[0]}"')
    assert not read(text.replace('"b"', f'"{labels[1]}"')).notes


def test_a_column_without_values_says_nothing_unless_it_is_named() -> None:
    text = table("file,label,split,keep", "{name},{label},,")
    assert read(text).columns == TWO
    assert read(text, keep="keep").rows["keep"].tolist() == [""] * 8


def test_a_coordinate_is_no_label_but_y_is_one_of_an_x_of_files() -> None:
    found = read(table("file,x,y,species", "{name},12.5,{number},{label}"))
    assert found.columns == {"file": "file", "label": "species"}
    assert read(table("x,y")).columns == {"file": "x", "label": "y"}


def test_images_to_keep_by_a_column_that_nobody_named_are_said() -> None:
    text = table("file,label,keep", "{name},{label},True")
    assert any("8 rows of 8 are to be in every subset" in note for note in read(text).notes)
    assert not any("every subset" in note for note in read(text, keep="keep").notes)


def test_a_list_names_the_columns_of_labels_among_others_of_0_and_1() -> None:
    text = table("file,label,a,b,night,sex", "{name},x,{number},0,1,m").replace(
        ",0,0,1,", ",0,1,1,"
    )
    found = read(text, label=["a", "b"])
    assert found.rows["label"].tolist() == ["b", "a"] * 4
    assert found.columns == {"file": "file"} and not found.others


def test_columns_that_are_not_used_are_said_if_nobody_named_the_labels() -> None:
    text = table("file,type,kind,sex", "{name},{number},{label},m")
    assert any("not used: 'kind', 'sex'" in line for line in said(read(text)))
    assert not any("not used" in line for line in said(read(text, label="kind")))


def test_what_a_table_with_a_column_for_each_label_says_besides_is_said() -> None:
    text = table("file,a,b,c,lesion", "{name},{number},0,0,p{place}").replace("p7", "p6")
    found = read(text.replace(",0,0,0,", ",0,1,0,").replace("8.jpg,1,0,0", "8.jpg,0,0,1"))
    assert any("'lesion' is not used" in note for note in found.notes)
    assert not any("'a' is not used" in note for note in found.notes)


def test_a_column_that_is_named_takes_the_place_of_one_with_a_usual_name() -> None:
    found = read(
        table("file,label,truth,split,part", "{name},x,{label},1,train"),
        label="truth",
        split="part",
    )
    assert found.columns == {"file": "file", "label": "truth", "split": "part"}
    assert found.rows["label"].tolist() == ["a", "b"] * 4


def test_any_column_may_be_named_as_labels_however_many_it_has() -> None:
    assert read(table(row="{name},{place}"), label="label").rows["label"].nunique() == 8


# --- the files of a table


@pytest.fixture(params=MAKERS)
def open_tree(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Source]:
    """Opens files and a table, in the tree or next to it, as a folder, a zip and a tar."""

    def opened(files: Mapping[str, bytes], text: str, place: str = "labels.csv") -> Source:
        inside = place.removeprefix("in:")
        tree = dict(files)
        if place == inside:
            (tmp_path / place).write_text(text, encoding="utf-8")
        else:
            tree[inside] = text.encode()
        made = MAKERS[request.param](tmp_path / "images", tree)
        source = "folder" if request.param == "folder" else "archive"
        path = str(tmp_path / place) if place == inside else inside
        return open_source(source, made, labels=LabelColumns(path))

    return opened


def tree_of(pattern: str) -> dict[str, bytes]:
    return {
        pattern.format(name=name, label="ab"[place % 2], half=place // 4): b"x"
        for place, name in enumerate(NAMES)
    }


TREES: dict[str, tuple[str, str, str]] = {
    "flat": ("{name}", "{name}", "labels.csv"),
    "flat, with the table in it": ("{name}", "{name}", "in:labels.csv"),
    "the table in a folder beside": ("images/{name}", "images/{name}", "in:meta/labels.csv"),
    "the table with its images": ("deep/{name}", "{name}", "in:deep/labels.csv"),
    "names in folders": ("part{half}/{name}", "{name}", "labels.csv"),
    "stems in folders": ("part{half}/{name}", "{stem}", "labels.csv"),
    "paths in folders": ("part{half}/{name}", "part{half}/{name}", "labels.csv"),
    "a wrapping folder": ("data/pictures/{name}", "pictures/{name}", "labels.csv"),
    "a wrapping folder and the table": ("data/pictures/{name}", "pictures/{stem}", "in:data/t.csv"),
    "other capitals": ("Pics/{name}", "pics/{stem}.JPG", "labels.csv"),
    "other capitals of the name": ("p/{name}", "{stem}.Jpg", "labels.csv"),
    "class folders": ("{label}/{name}", "{label}/{name}", "labels.csv"),
    "the wrong class folders": ("x/{name}", "x/{name}", "labels.csv"),
}


@pytest.mark.parametrize("case", TREES)
def test_files_are_found_in_any_tree(open_tree: Callable[..., Source], case: str) -> None:
    files, row, place = TREES[case]
    text = "file,label\n" + "".join(
        row.format(name=name, stem=name[:-4], label="ab"[n % 2], half=n // 4) + f",{'ab'[n % 2]}\n"
        for n, name in enumerate(NAMES)
    )
    source = open_tree(tree_of(files), text, place)
    wanted = {
        f"{'ab'[n % 2]}/" + files.format(name=name, label="ab"[n % 2], half=n // 4)
        for n, name in enumerate(NAMES)
    }
    assert ids(source) == wanted


def test_images_are_read_by_their_ids_and_have_fingerprints(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "images", {name: name.encode() for name in NAMES})
    (folder / "labels.csv").write_text(table())
    with open_source("folder", folder, labels=LabelColumns("labels.csv")) as source:
        assert dict(source.read_many(["a/1.jpg", "b/2.jpg"])) == {
            **{"a/1.jpg": b"1.jpg", "b/2.jpg": b"2.jpg"}
        }


def test_a_changed_label_changes_the_fingerprint_of_its_image_alone(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "images", IMAGES)

    def prints(text: str) -> list[str]:
        (tmp_path / "labels.csv").write_text(text)
        labels = LabelColumns(str(tmp_path / "labels.csv"))
        source: Any = open_source("folder", folder, labels=labels)
        found = sorted(ids(source), key=lambda name: name.split("/")[1])
        return [source.fingerprint([name]) for name in found]

    before, after = prints(table()), prints(table().replace("1.jpg,a", "1.jpg,b"))
    assert [one == other for one, other in zip(before, after, strict=True)] == [False] + [True] * 7
    assert prints(table("file,label,sample_weight", "{name},{label},2")) == before


def left_out(source: Source, share: float) -> tuple[dict[str, list[str]], Notices]:
    notices = Notices()
    with source:
        listing(source, None, None, share, notices)
        assert source.labeled is not None
        problems = source.labeled.problems
    return problems.groupby("problem")["file"].apply(list).to_dict(), notices


PROBLEMS: dict[str, tuple[str, dict[str, list[str]]]] = {
    "a row without a file": ("9.jpg,a\n", {"no such file": ["9.jpg"]}),
    "a row without a label": ("8.jpg,\n", {"no label": ["8.jpg"]}),
    "a row without a name": (",a\n", {"no such file": [""], "no row": ["8.jpg"]}),
    "a file without a row": ("", {"no row": ["8.jpg"]}),
    "two labels": ("8.jpg,a\n8.jpg,b\n", {"several labels": ["8.jpg", "8.jpg"]}),
    "the same label twice": ("8.jpg,a\n8.jpg,a\n", {"repeated": ["8.jpg"]}),
    "the same file by two names": (
        "8.jpg,a\n./8.jpg,b\n",
        {"several labels": ["8.jpg", "./8.jpg"]},
    ),
    "a label and none": ("8.jpg,a\n8.jpg,\n", {"no label": ["8.jpg"]}),
    "a name that is elsewhere": (
        "other/8.jpg,a\n",
        {"no such file": ["other/8.jpg"], "no row": ["8.jpg"]},
    ),
    "a URL of another place": (
        "https://example.org/8.jpg,a\n",
        {"no such file": ["https://example.org/8.jpg"], "no row": ["8.jpg"]},
    ),
    "a path that leads out": ("../8.jpg,a\n", {"no such file": ["../8.jpg"], "no row": ["8.jpg"]}),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_what_is_left_out_is_listed_said_and_refused_beyond_the_share(
    open_tree: Callable[..., Source], case: str
) -> None:
    rows, wanted = PROBLEMS[case]
    source = open_tree(IMAGES, with_row(rows))
    found, notices = left_out(source, 0.3)
    found.pop("no row", None) if "no row" not in wanted else None
    assert found == wanted
    said = " ".join(notices)
    assert all(repr(name) in said for names in wanted.values() for name in names)
    with pytest.raises(PetiteError, match=r"dataset\.max_bad_share") as error:
        left_out(source, 0.05)
    assert repr(next(iter(wanted.values()))[0]) in str(error.value)


@pytest.mark.parametrize("above", ["", "data/"])
def test_a_folder_in_which_no_file_has_a_row_is_left_out_and_said(
    open_tree: Callable[..., Source], above: str
) -> None:
    files = [*(f"train/{name}" for name in NAMES), *(f"test/{n}.png" for n in range(40, 60))]
    source = open_tree({above + file: b"x" for file in files}, table())
    found, notices = left_out(source, 0.1)
    assert len(found["no row"]) == 20
    assert any("20 files left out" in text and "test/40.png" in text for text in notices)


@pytest.mark.parametrize("row", ["{name},{label}", "{stem},{label}"])
def test_names_are_those_in_the_only_folder_that_has_all_of_them(
    open_tree: Callable[..., Source], row: str
) -> None:
    files = [*(f"train/{name}" for name in NAMES), *(f"test/{name}" for name in NAMES[:3])]
    found, _ = left_out(open_tree(dict.fromkeys(files, b"x"), table(row=row)), 0.1)
    assert found == {"no row": [f"test/{name}" for name in NAMES[:3]]}


def test_paths_start_at_the_table_where_files_of_the_same_paths_are_elsewhere_too(
    open_tree: Callable[..., Source],
) -> None:
    files = [f"{site}images/{name}" for name in NAMES for site in ("", "b/")]
    text = table(row="images/{name},{label}")
    tree = {name: b"x" for name in files if name != "b/images/3.jpg"}
    found, _ = left_out(open_tree(tree, text, "in:b/labels.csv"), 0.2)
    assert found["no such file"] == ["images/3.jpg"]
    assert found["no row"] == [f"images/{name}" for name in NAMES]


@pytest.mark.parametrize("place", ["a", "somewhere/else"])
def test_a_column_of_folders_says_where_files_are_unless_there_are_no_such_folders(
    open_tree: Callable[..., Source], place: str
) -> None:
    files = [*(f"a/{name}" for name in NAMES), *(f"b/{name}" for name in NAMES[:2])]
    text = table("folder,filename,label", place + ",{name},{label}")
    rows = "b,1.jpg,b\nb,2.jpg,a\n" if place == "a" else ""
    source = open_tree(dict.fromkeys(files, b"x"), text + rows)
    found, notices = left_out(source, 0.1)
    assert found == ({} if rows else {"no row": ["b/1.jpg", "b/2.jpg"]})
    assert any("'folder' for folder" in text for text in notices)


def test_names_that_most_of_another_folder_has_too_are_those_of_neither(
    open_tree: Callable[..., Source],
) -> None:
    """Originals and crops, of which one failed."""
    files = [*(f"raw/{name}" for name in NAMES), *(f"crops/{name}" for name in NAMES[1:])]
    with pytest.raises(PetiteError, match="is in several folders"):
        left_out(open_tree(dict.fromkeys(files, b"x"), table()), 0.1)


def test_names_that_two_folders_have_are_those_of_neither(open_tree: Callable[..., Source]) -> None:
    files = {f"{eye}/{name}": b"x" for name in NAMES for eye in ("left", "right")}
    with pytest.raises(PetiteError, match=r"several folders .*left/1\.jpg.*right/1\.jpg.*'folder'"):
        left_out(open_tree(files, table()), 0.1)


@pytest.mark.parametrize(("prefix", "are_lost"), [("000", True), ("a", False)])
def test_zeros_that_a_spreadsheet_has_taken_from_names_are_said(
    open_tree: Callable[..., Source], prefix: str, are_lost: bool
) -> None:
    files = {f"images/{prefix}{name}": b"x" for name in NAMES}
    with pytest.raises(PetiteError, match="none of the 8 files") as error:
        left_out(open_tree(files, table(row="{stem},{label}")), 0.1)
    assert ("zeros at the beginning of its names" in str(error.value)) == are_lost


def test_capitals_count_where_they_distinguish_files(tmp_path: Path) -> None:
    text = table() + "P/a.jpg,a\np/A.jpg,b\nP/A.jpg,b\n"
    (tmp_path / "labels.csv").write_text(text)
    files = {"P/a.jpg": b"x", "p/A.jpg": b"y"}
    path = make_zip(tmp_path / "images.zip", IMAGES | files)
    source = open_source("archive", path, labels=LabelColumns(str(tmp_path / "labels.csv")))
    assert left_out(source, 0.1)[0] == {"no such file": ["P/A.jpg"]}


VALUES: dict[str, tuple[str, str, str, str]] = {
    "another group": ("group", "p1", "p2", "other values"),
    "a group and none": ("group", "p1", "", "other values"),
    "another weight": ("sample_weight", "1", "2", "other values"),
    "the same weight": ("sample_weight", "1", "1.0", "repeated"),
    "the weight of an empty field": ("sample_weight", "1", "", "repeated"),
    "another word for keep": ("keep", "always", "never", "other values"),
    "two words for the same": ("keep", "always", "yes", "repeated"),
    "a part and none": ("split", "train", "", "other values"),
    "two words for a part": ("split", "train", "Training", "repeated"),
    "another note": ("note", "x", "y", "repeated"),
}


@pytest.mark.parametrize("case", VALUES)
def test_a_row_that_says_something_else_of_a_file_is_said_and_the_first_counts(
    tmp_path: Path, case: str
) -> None:
    column, first, second, problem = VALUES[case]
    rows = f"8.jpg,a,{first}\n./8.jpg,a,{second}\n"
    text = with_row(rows, f"file,label,{column}", f",{first}")
    (tmp_path / "labels.csv").write_text(text)
    folder = make_folder(tmp_path / "images", IMAGES)
    labels = LabelColumns(str(tmp_path / "labels.csv"))
    source = open_source("folder", folder, labels=labels)
    found, notices = left_out(source, 0.2)
    assert found == {problem: ["./8.jpg"]}
    assert any("'./8.jpg' in row 10" in text for text in notices)
    annotations = source.annotations()
    assert annotations is not None
    role, said = column.removeprefix("sample_"), annotations.set_index("image_id").loc["a/8.jpg"]
    assert said.get(role) == {"weight": 1.0, "note": None}.get(role, first)


def test_a_table_in_which_every_file_has_several_labels_is_refused(
    open_tree: Callable[..., Source],
) -> None:
    names = [f"{number}.jpg" for number in range(6)]
    rows = "".join(f"{name},a\n{name},b\n" for name in names)
    with pytest.raises(PetiteError, match="file that has several labels"):
        ids(open_tree(dict.fromkeys(names, b"x"), f"file,label\n{rows}"))


def test_a_file_in_two_parts_of_the_split_is_refused(open_tree: Callable[..., Source]) -> None:
    rows = "8.jpg,a,\n./8.jpg,a,val\n8,a,test\n"
    text = with_row(rows, "file,label,Set", ",train")
    with pytest.raises(PetiteError, match=r"'Set'.*'\./8\.jpg'.*row 10.*row 11") as error:
        ids(open_tree(IMAGES, text))
    assert "validation" in str(error.value) and "test" in str(error.value)


@pytest.mark.parametrize("name", ["1.png", "p/1.jpg", "1", "7/1.jpg"])
def test_a_name_that_several_files_have_is_none_of_them(
    open_tree: Callable[..., Source], name: str
) -> None:
    files = ["p/1.png", "q/1.png", "p/2.png", "q/3.png", "p/4.png"]
    rows = [(name, "a"), ("2", "a"), ("3.png", "b"), ("q/1.png", "b"), ("p/4", "a")]
    text = "file,label\n" + "".join(f"{file},{label}\n" for file, label in rows)
    found, _ = left_out(open_tree(dict.fromkeys(files, b"x"), text), 0.5)
    assert found == {"no such file": [name], "no row": ["p/1.png"]}


def test_no_file_at_all_says_what_the_table_and_the_folder_have(
    open_tree: Callable[..., Source],
) -> None:
    with pytest.raises(PetiteError, match=r"'x1\.jpg'.*'1\.jpg'.*labels\.file"):
        ids(open_tree(IMAGES, table(row="x{name},{label}")))


def test_side_files_count_neither_as_images_nor_for_a_name(
    open_tree: Callable[..., Source],
) -> None:
    beside = {f"{name[:-4]}.{kind}": b"x" for name in NAMES for kind in ("json", "txt", "npy")}
    source = open_tree(IMAGES | beside, table(row="{stem},{label}"), "in:labels.csv")
    assert left_out(source, 0.0)[0] == {}


def test_a_table_that_is_not_there_is_named_with_those_that_are(
    open_tree: Callable[..., Source],
) -> None:
    source = open_tree(IMAGES | {"truth.csv": b""}, table(), "in:other.tsv")
    with pytest.raises(PetiteError, match=r"labels\.path: label\.csv .*other\.tsv, truth\.csv"):
        ids(open_source(source.name, source.path, labels=LabelColumns("label.csv")))


def test_a_table_beside_the_folder_is_named_if_it_was_looked_for_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans/1.jpg").write_bytes(b"")
    (tmp_path / "label.csv").write_text(table())
    source = open_source("folder", tmp_path / "scans", labels=LabelColumns("label.csv"))
    with pytest.raises(PetiteError, match=rf"labels\.path: .*{tmp_path}/label\.csv"):
        ids(source)


def test_the_annotations_of_a_table_are_those_of_its_listing(
    open_tree: Callable[..., Source],
) -> None:
    text = table("file,label,group,sample_weight", "{name},{label},p{place},{place}.5")
    with open_tree(IMAGES, text) as source:
        found = listing(source, None, None, 0.1).set_index("image_id")
    assert found.loc["a/3.jpg", ["group", "weight"]].tolist() == ["p2", 2.5]
    assert "keep" not in found


# --- a split in folders

SPLIT_FOLDERS: dict[str, tuple[list[str], list[str]]] = {
    "train and test": (["train", "test"], ["train", "test"]),
    "three parts": (["train", "val", "test"], ["train", "validation", "test"]),
    "other words": (["Training", "Test_Set"], ["train", "test"]),
    "a wrapping folder": (["images/train", "images/test"], ["train", "test"]),
    "folders within": (["train/cam1", "train/cam2", "test/cam1"], ["train", "train", "test"]),
    "the folders of classes": (["x/train", "y/train", "x/test"], ["train", "train", "test"]),
}


def in_folders(folders: list[str]) -> tuple[dict[str, bytes], str]:
    """Four images in each folder, and their table."""
    files = [f"{folder}/{place}-{n}.jpg" for place, folder in enumerate(folders) for n in range(4)]
    rows = [f"{name},{'ab'[place % 2]}\n" for place, name in enumerate(files)]
    return dict.fromkeys(files, b"x"), "file,label\n" + "".join(rows)


def listed(source: Source) -> tuple[pd.DataFrame, Notices]:
    notices = Notices()
    with source:
        return listing(source, None, None, 0.1, notices), notices


@pytest.mark.parametrize("case", SPLIT_FOLDERS)
def test_folders_of_a_split_are_the_split_of_a_table_without_one(
    open_tree: Callable[..., Source], case: str
) -> None:
    folders, parts = SPLIT_FOLDERS[case]
    table, notices = listed(open_tree(*in_folders(folders)))
    part_of = dict(zip(folders, parts, strict=True))
    inside = table["image_id"].str.partition("/")[2].str.rpartition("/")[0]
    assert table["split"].tolist() == [part_of[folder] for folder in inside]
    assert sum("given: ignore" in text for text in notices) == 1


def test_a_column_of_splits_counts_more_than_folders(open_tree: Callable[..., Source]) -> None:
    files, text = in_folders(["train", "test"])
    text = (
        text.replace("\n", ",val\n").replace("label,val", "label,split").replace("val", "train", 2)
    )
    table, notices = listed(open_tree(files, text))
    assert set(table["split"]) == {"train", "validation"}
    assert not any("given: ignore" in text for text in notices)
    empty = re.sub(r",(train|val)\n", ",\n", text)
    assert set(listed(open_tree(files, empty))[0]["split"]) == {"train", "test"}


@pytest.mark.parametrize(
    ("folders", "doubtful"),
    [
        (["train", "test", "extra"], ["'train'", "'test'", "'extra'"]),
        (["train", "test1", "test2"], ["'train'", "'test1'", "'test2'"]),
        (["train", "test", "."], ["'train'", "'test'"]),
        (["val", "test"], []),
        (["train", "extra"], []),
        (["train"], []),
        (["trains", "tests"], []),
    ],
)
def test_folders_that_are_not_certainly_a_split_are_none_and_those_in_doubt_are_said(
    tmp_path: Path, folders: list[str], doubtful: list[str]
) -> None:
    files, text = in_folders(folders)
    files = {name.removeprefix("./"): data for name, data in files.items()}
    (tmp_path / "labels.csv").write_text(text)
    folder = make_folder(tmp_path / "images", files)
    labels = LabelColumns(str(tmp_path / "labels.csv"))
    table, notices = listed(open_source("folder", folder, labels=labels))
    assert "split" not in table
    said = [text for text in notices if "split" in text]
    assert len(said) == bool(doubtful)
    assert all(name in said[0] for name in doubtful)


def test_two_spellings_of_a_label_in_unicode_are_one(tmp_path: Path) -> None:
    text = with_row("8.jpg,cafe\u0301\n").replace(",a", ",caf\xe9")
    assert read(text).rows["label"].nunique() == 2


def test_two_spellings_of_a_file_in_unicode_are_one(open_tree: Callable[..., Source]) -> None:
    source = open_tree(IMAGES | {"cafe\u0301.jpg": b"x"}, table() + "caf\xe9.jpg,a\n")
    assert ids(source) == WANTED | {"a/caf\xe9.jpg"}


def test_a_source_without_files_takes_no_table() -> None:
    with pytest.raises(PetiteError, match="labels: the source 'digits'"):
        open_source("digits", None, labels=LabelColumns("labels.csv"))


def test_the_columns_in_use_are_said(open_tree: Callable[..., Source]) -> None:
    text = table("image_id;diagnosis;patient", "{name};{label};{place}")
    _, notices = left_out(open_tree(IMAGES, text), 0.1)
    assert notices[0].endswith(
        "'image_id' for file, 'diagnosis' for label, 'patient' for group; its columns are "
        "separated by semicolons"
    )


def test_the_labels_of_a_table_are_said_with_the_number_of_their_files(
    open_tree: Callable[..., Source],
) -> None:
    _, notices = left_out(open_tree(IMAGES, table().replace("1.jpg,a", "1.jpg,unknown")), 0.1)
    assert any("a (3 files), b (4 files), unknown (1 file)" in text for text in notices)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("7", "7.0"), ("7", "007"), ("0", "0.0"), ("1", "True"), ("0", "false")),
        *(("golden retriever", "golden_retriever"), ("pug", "pug\u200b"), ("A", "\uff21")),
        *(("P003", "P3"), ("P-03", "p03"), ("P-03", "P\u201303"), ("class 1", "class 01")),
    ],
)
def test_labels_that_may_be_the_same_are_said(
    open_tree: Callable[..., Source], one: str, other: str
) -> None:
    text = table().replace(",a", f",{one}").replace(f"1.jpg,{one}", f"1.jpg,{other}")
    _, notices = left_out(open_tree(IMAGES, text), 0.1)
    assert any(repr(other) in text and "how they are written" in text for text in notices)


@pytest.mark.parametrize("other", ["-7", "17", "7 a", "seven", "7.7", "70"])
def test_labels_that_are_others_are_not_said_to_be_one(
    open_tree: Callable[..., Source], other: str
) -> None:
    text = table().replace(",a", ",7").replace("1.jpg,7", f"1.jpg,{other}")
    _, notices = left_out(open_tree(IMAGES, text), 0.1)
    assert not any("how they are written" in text for text in notices)


def test_groups_that_may_be_one_are_said() -> None:
    text = table("file,label,patient_id", "{name},{label},{place}") + "9.jpg,a,007\n"
    [note] = [note for note in read(text).notes if "'007'" in note]
    assert "'7' and '007'" in note and "in training and in test" in note
    assert not any("written" in note for note in read(text.replace("007", "70")).notes)


def test_labels_that_differ_by_capitals_are_said(open_tree: Callable[..., Source]) -> None:
    _, notices = left_out(open_tree(IMAGES, table().replace("1.jpg,a", "1.jpg,A")), 0.1)
    assert any("'A', 'a'" in text and "how they are written" in text for text in notices)
