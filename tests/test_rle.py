import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import rle


def encode_by_hand(mask: np.ndarray) -> str:
    """The slow oracle: walk the pixels column by column."""
    flat, numbers = mask.T.ravel().tolist(), []
    for place, value in enumerate(flat):
        if value and (place == 0 or not flat[place - 1]):
            numbers += [place + 1, 0]
        if value:
            numbers[-1] += 1
    return " ".join(map(str, numbers))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1", "odd count of numbers"),
        ("1 2 3", "odd count of numbers"),
        ("1 2.5", "not a whole number"),
        ("1 x", "not a whole number"),
        ("-1 2", "not a whole number"),
        ("+1 2", "not a whole number"),
        ("1\t2", "not a whole number"),
        ("1 é", "not a whole number"),
        ("0 2", "start below 1 (starts are 1-based)"),
        ("1 0", "length below 1"),
        ("1 101", "run past the last pixel"),
        ("100 2", "run past the last pixel"),
        ("101 1", "run past the last pixel"),
        ("5 2 1 2", "runs do not ascend or overlap"),
        ("1 5 5 1", "runs do not ascend or overlap"),
        ("1 9223372036854775807", "run past the last pixel"),
        ("9223372036854775808 1", "number beyond 64 bits"),
        ("1 99999999999999999999999", "number beyond 64 bits"),
    ],
)
def test_illegal_text_is_named(text, problem):
    start, length, offsets, codes, where = rle.parse(["1 2", text, "3 4"], np.full(3, 100))
    assert codes.tolist()[::2] == [0, 0]
    assert rle.PROBLEMS[codes[1]] == problem
    assert rle.explain(text, codes[1], where[1]).startswith(problem)
    assert start.tolist() == [0, 2] and length.tolist() == [2, 4] and offsets.tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("text", ["1 100", "100 1", "1 3 4 2", "  1  3   10 2 ", "0000000000000000000000001 2", "99 1"])
def test_legal_text_is_read(text):
    start, length, _, codes, _ = rle.parse([text], np.array([100]))
    numbers = [int(number) for number in text.split()]
    assert codes.tolist() == [0]
    assert (start + 1).tolist() == numbers[::2] and length.tolist() == numbers[1::2]


@given(st.lists(st.text(alphabet="0123456789 -x", max_size=30), max_size=5))
def test_parse_agrees_with_plain_python(texts):
    start, length, offsets, codes, _ = rle.parse(texts, np.full(len(texts), 50))
    for row, text in enumerate(texts):
        numbers = [int(token) if token.isdecimal() else None for token in text.split(" ") if token]
        legal, free = len(numbers) % 2 == 0 and None not in numbers, 1
        for begin, size in zip(numbers[::2], numbers[1::2]) if legal else ():
            legal &= begin >= free and size >= 1 and begin + size - 1 <= 50
            free = begin + size
        assert (codes[row] == 0) == legal
        mine = slice(offsets[row], offsets[row + 1])
        expected = numbers if legal else []
        assert (start[mine] + 1).tolist() == expected[::2] and length[mine].tolist() == expected[1::2]


def test_write_turns_to_one_based_text():
    assert rle.write(np.array([0, 99]), np.array([1, 1])) == "1 1 100 1"
    assert rle.write(np.array([]), np.array([])) == ""
