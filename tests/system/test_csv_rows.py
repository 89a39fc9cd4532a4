import pytest

from kit.errors import KitError
from kit.system.csv_rows import read_rows


def read(tmp_path, text, **options):
    path = tmp_path / "some.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return read_rows(path, {"id": str, "size": int}, **options)


def test_wanted_columns_are_converted_and_others_passed_over(tmp_path):
    assert read(tmp_path, 'size,more,id\r\n3,x,"a,""b"\n\n4,,c\n') == [
        {"id": 'a,"b', "size": 3},
        {"id": "c", "size": 4},
    ]
    assert read(tmp_path, "id,size\n") == []
    assert len(read(tmp_path, "id,size\na,1\na,2\n")) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no column id; its columns must be id, size"),
        ("id,sizes\na,1\n", "has no column size"),
        ("id,size\na,1\n\nb,x\n", "row 4: size 'x'"),
        ("id,size\na\n", "row 2: size 'None': more or fewer cells"),
        ("id,size\na,1,2\n", "row 2: .*more or fewer cells"),
        ("id,size\na,1\na,2\n", "row 3: id a appears twice"),
        ('id,size\n"a,1\n', "cannot be read as a CSV"),
        ("id,size\n\udcff,1\n", "row 2: not UTF-8 text"),
        (f"id,size\n{'a' * 200000},1\n", "cannot be read as a CSV"),
    ],
)
def test_what_is_wrong_is_named_with_file_row_and_column(tmp_path, text, words):
    with pytest.raises(KitError, match=rf"some\.csv.*{words}") as error:
        read(tmp_path, text, key="id")
    assert "\n" not in str(error.value)


def test_what_is_no_file_is_named(tmp_path):
    for path, words in ((tmp_path, "cannot be read"), (tmp_path / "none.csv", "no such file")):
        with pytest.raises(KitError, match=words):
            read_rows(path, {"id": str})
