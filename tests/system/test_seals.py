import json

import pytest

from kit.errors import KitError
from kit.system import seals


def test_a_seal_tells_of_every_change(tmp_path):
    path = tmp_path / "a.json"
    fields = {"a": [1, 2.5, None, "ä"], "b": {"c": True}}
    path.write_bytes(seals.seal(fields))
    assert seals.unseal(path, "x") == fields and json.loads(path.read_text())["a"] == fields["a"]
    data = path.read_bytes()
    for place in range(len(data)):
        for bit in (1, 2, 4, 32):
            path.write_bytes(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
            with pytest.raises(KitError, match=r"a\.json"):
                seals.unseal(path, "x")
