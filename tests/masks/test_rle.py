import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.masks import rle


def parse(texts, sizes, **options):
    data, sizes = "".join(texts).encode(), np.asarray(sizes)
    end = np.cumsum([len(text.encode()) for text in texts])
    begin = np.concatenate([[0], end[:-1]]) if texts else end
    return rle.parse(np.frombuffer(data, np.uint8), begin, end, sizes, **options)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1", "odd count of numbers"),
        ("1 2 3", "odd count of numbers"),
        ("1 2.5", "not a whole number"),
        ("1 x", "not a whole number"),
        ("1 2x", "not a whole number"),
        ("- 2", "not a whole number"),
        ("1 --2", "not a whole number"),
        ("1\t2", "not a whole number"),
        ("1 é", "not a whole number"),
        ("1 ٣", "not a whole number"),
        ("+1 2", "number with a sign"),
        ("1 +2", "number with a sign"),
        ("-1 2", "start below 1 (starts are 1-based)"),
        ("0 2", "start below 1 (starts are 1-based)"),
        ("1 0", "length below 1"),
        ("1 -2", "length below 1"),
        ("1 101", "run past the last pixel"),
        ("100 2", "run past the last pixel"),
        ("101 1", "run past the last pixel"),
        ("5 2 1 2", "runs do not ascend or overlap"),
        ("1 5 5 1", "runs do not ascend or overlap"),
        ("1 9223372036854775807", "run past the last pixel"),
        ("9223372036854775807 1", "run past the last pixel"),
        ("9223372036854775808 1", "number beyond 64 bits"),
        ("1 9223372036854775808", "number beyond 64 bits"),
        ("1 99999999999999999999999", "number beyond 64 bits"),
        ("-99999999999999999999999 1", "number beyond 64 bits"),
    ],
)
def test_illegal_text_is_named(text, problem):
    start, length, offsets, codes, where = parse(["1 2", text, "3 4"], np.full(3, 100))
    assert codes.tolist()[::2] == [0, 0]
    assert rle.PROBLEMS[codes[1]] == problem
    assert rle.explain(text, codes[1], where[1]).startswith(problem)
    assert (
        start.tolist() == [0, 2] and length.tolist() == [2, 4] and offsets.tolist() == [0, 1, 1, 2]
    )


@pytest.mark.parametrize(
    "text", ["1 100", "100 1", "1 3 4 2", "  1  3   10 2 ", "0000000000000000000000001 2", "99 1"]
)
def test_legal_text_is_read(text):
    start, length, _, codes, _ = parse([text], [100])
    numbers = [int(number) for number in text.split()]
    assert codes.tolist() == [0]
    assert (start + 1).tolist() == numbers[::2] and length.tolist() == numbers[1::2]


def test_an_error_shows_the_number_that_is_wrong():
    text = "1 2 5 1 4 9"
    _, _, _, codes, where = parse([text], [100])
    assert rle.explain(text, codes[0], where[0]) == "runs do not ascend or overlap: '4'"


@pytest.mark.parametrize(
    ("empty", "blank", "wrong"),
    [("", ["", "   "], []), ("-1", ["-1", " -1 "], ["", "-", "-1 2"]), ("-", ["-"], [""])],
)
def test_a_blank_cell_is_what_the_competition_says(empty, blank, wrong):
    _, _, _, codes, _ = parse(
        [*blank, *wrong, "5 1"], np.full(len(blank) + len(wrong) + 1, 100), empty=empty
    )
    assert (
        (codes[: len(blank)] == rle.BLANK).all()
        and (codes[len(blank) : -1] > 0).all()
        and codes[-1] == 0
    )


@given(st.lists(st.text(alphabet="0123456789 -+x", max_size=30), max_size=5), st.booleans())
def test_parse_agrees_with_plain_python(texts, relative):
    start, length, offsets, codes, _ = parse(texts, np.full(len(texts), 50), relative=relative)
    for row, text in enumerate(texts):
        numbers = [int(token) if token.isdecimal() else None for token in text.split(" ") if token]
        legal, last, runs = bool(numbers) and len(numbers) % 2 == 0 and None not in numbers, 0, []
        for begin, size in zip(numbers[::2], numbers[1::2]) if legal else ():
            begin = last + begin if relative else begin - 1
            legal &= begin >= last and size >= 1 and begin + size <= 50
            last = begin + size
            runs.append((begin, size))
        assert (codes[row] == 0) == legal and (codes[row] == rle.BLANK) == (not numbers)
        mine = slice(offsets[row], offsets[row + 1])
        assert list(zip(start[mine].tolist(), length[mine].tolist())) == (runs if legal else [])


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 2**20)), max_size=6), max_size=4
    ),
    st.booleans(),
)
def test_what_is_written_is_read(objects, relative):
    runs, start, length = [0], [], []
    for steps in objects:
        at = 0
        for gap, size in steps:
            start.append(at + gap)
            length.append(size)
            at += gap + size
        runs.append(len(start))
    spans = np.array(start, np.int32), np.array(length, np.int32)
    items = [place if held else -1 for place, held in enumerate(objects)]
    names = [b"x"] * len(objects)
    text = rle.write(
        names,
        np.arange(len(objects)),
        items,
        np.array(runs),
        *spans,
        relative=relative,
        empty="none",
    ).decode()
    lines = [line.removeprefix("x") for line in text.splitlines()]
    begin, size, offsets, codes, _ = parse(
        lines, np.full(len(lines), 2**31 - 1), relative=relative, empty="none"
    )
    assert begin.tolist() == start and size.tolist() == length and offsets.tolist() == runs
    assert [code == rle.BLANK for code in codes] == [not held for held in objects]
    assert "  " not in text and " \n" not in text
