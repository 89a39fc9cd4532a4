"""100,000 mutated CSVs: none crashes the reader, and none is read otherwise than by hand."""

import random

import pytest

from kit.competition import csv_masks
from kit.competition.conventions import Competition
from kit.errors import KitError
from tests.competition.conftest import pixels
from tests.oracles import read_by_hand

BASE = [
    b"ImageId,EncodedPixels\na.jpg,1 3 10 2\na.jpg,20 5\nb.jpg,\nc.jpg,99 2\n",
    b'\xef\xbb\xbf"ImageId","EncodedPixels"\r\n"a.jpg","5 1 6 2"\r\nb.jpg,"100 1"\r\nc.jpg,',
    b'x,EncodedPixels,ImageId\n"1,\n""2",1 100,d\n,3 4 7 1,e\n,,\xc3\xa9\n',
]
ALPHABET = [bytes([c]) for c in b'0123456789 ,\n\r"-+.x\t\0\xff\xc3']
ALPHABET += [
    b"\r\n",
    b'""',
    b"a.jpg,",
    b"a.jpg,1 3\n",
    b"9223372036854775807 ",
    b"9223372036854775808",
    b"\xef\xbb\xbf",
    b" 1 ",
    b"ImageId",
]


def mutate(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
        at, kind = rng.randrange(len(data) + 1), rng.randrange(6)
        if kind == 0:
            data = data[:at] + rng.choice(ALPHABET) + data[at:]
        elif kind == 1:
            data = data[:at] + data[at + rng.choice((1, 1, 2, 5)) :]
        elif kind == 2:
            data = data[:at] + rng.choice(ALPHABET) + data[at + 1 :]
        elif kind == 3:  # a line once more, or elsewhere
            lines = data.split(b"\n")
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
            data = b"\n".join(lines)
        elif kind == 4:  # a number changes
            digits = [place for place, byte in enumerate(data) if 48 <= byte < 58]
            if digits:
                place = rng.choice(digits)
                data = (
                    data[:place]
                    + rng.choice((b"0", b"1", b"9", b"10", b"101", b"-1"))
                    + data[place + 1 :]
                )
        else:
            data = data[:at]
    return data


@pytest.mark.dear
def test_a_hundred_thousand_mutated_texts_never_crash_and_are_never_wrongly_read():
    rng, legal = random.Random(0), 0
    competition = Competition(height=10, width=10)
    for number in range(100_000):
        data = mutate(BASE[number % len(BASE)], rng)
        wanted = read_by_hand(data, 10, 10)
        try:
            table, problems = csv_masks.inspect_submission(data, competition)
        except KitError:
            assert wanted is None, data
            continue
        assert (wanted is None) == bool(problems), (data, problems)
        if wanted is not None:
            legal += 1
            assert pixels(table) == wanted, data
    assert 10_000 < legal < 90_000  # both kinds were there
