"""What the tests of packing share."""

from pathlib import Path

import pytest

from kit.practice.folder import write_practice
from kit.records import manifest as rules
from kit.records.manifest import METADATA
from tests.deaths import plan_death
from tests.forks import Child, run_kit


def contents(folder: Path) -> dict[str, bytes]:
    """Shards, metadata and folds.csv: what must be equal."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.name in (*METADATA, "folds.csv") or "tfrecord" in path.name
    }


def contents_with_plan(folder: Path) -> dict[str, bytes]:
    """The same, and plan.json once it is there."""
    return contents(folder) | {path.name: path.read_bytes() for path in folder.glob("plan.json")}


# For packings that are disturbed.

OPTIONS = ("--folds", "3", "--shard-mb", "1")  # seven shards


@pytest.fixture(scope="session")
def larger(once):
    """A practice competition whose records are seven shards."""

    def make(folder):
        write_practice(folder / "competition", images=80, test_images=1, empty_share=0.5, seed=9)

    return once("faults", make) / "competition"


@pytest.fixture(scope="session")
def undisturbed(larger, once):
    """The finished folder."""

    def make(folder):
        assert start(larger, folder / "records").wait() == 0

    return once("packed", make) / "records"


def pack_and_die(death, *arguments) -> None:
    """In a child."""
    plan_death(death)
    run_kit("pack", *arguments)


def start(competition, out, *options, death=None) -> Child:
    return Child(pack_and_die, death, competition, out, *(options or OPTIONS))


def claims(folder: Path) -> None:
    """Asserts that the files tell the truth.

    A shard in the manifest has its SHA-256, and the metadata exist only if every shard does.
    """
    if (folder / "manifest.json").exists():
        manifest = rules.read_manifest(folder)
        assert rules.compare_shards(folder, manifest["shards"]) == {}
        if (folder / "dataset_info.json").exists():
            assert len(manifest["shards"]) == manifest["planned"]
    else:
        assert not (folder / "dataset_info.json").exists()
