"""The passes of a packing, one at a time, and TFDS's own way to write the same records."""

import io
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np

from kit.competition import csv_masks, sources
from kit.competition.conventions import AIRBUS
from kit.competition.listing import list_images
from kit.masks import table
from kit.packing import inspection, packing, planning
from kit.packing.request import Request
from kit.packing.shards import write_shard
from kit.settings import PackSettings
from kit.system import processes


class Passes:
    """The two passes of a packing: inspection, and, after `make_plan`, writing."""

    def __init__(self, place: Path, work: Path):
        self.source = sources.find_source(place, AIRBUS)
        csv = sources.find_file(self.source, AIRBUS.truth_csv, "the truth")
        truth = sources.read_whole(self.source, csv)
        self.request = Request(self.source, AIRBUS, PackSettings(), truth)
        self.listing = list_images(self.source, AIRBUS.train_images)
        self.work = work
        self.plan = None

    def inspect(self) -> None:
        shutil.rmtree(self.work / "cache", ignore_errors=True)
        inspection.inspect_images(self.source, self.listing, self.work / "cache", (768, 768))

    def make_plan(self) -> None:
        self.plan, truth = planning.make_plan(self.request, self.work / "cache", 0)
        self.truth = table.select_ids(truth, self.plan.ids)

    def write(self) -> None:
        out = self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        wanted = range(len(self.plan.shards))
        tasks = packing._plan_shards(self.plan, wanted, self.truth, self.request, out, {})
        with processes.run_tasks(write_shard, tasks) as results:
            for _ in results:
                pass


def write_by_tfds(place: Path, out: Path) -> None:
    """TFDS's own way: a builder that yields the same features."""
    import tensorflow_datasets as tfds

    from kit.tf.data.tfds_metadata import features

    truth = csv_masks.read_csv(place / AIRBUS.truth_csv)

    class Ships(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path = out

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=features())

        def _split_generators(self, dl_manager):
            return {"fold0": self._generate_examples()}

        def _generate_examples(self):
            for image, name in enumerate(truth.ids):
                first, last = truth.objects[image], truth.objects[image + 1]
                runs = slice(truth.runs[first], truth.runs[last])
                owners = np.repeat(np.arange(last - first), np.diff(truth.runs[first : last + 1]))
                example = {
                    "image_id": name,
                    "image": str(place / "train_v2" / name),
                    "height": 768,
                    "width": 768,
                    "scene": -1,
                    "objects": last - first,
                    "labels": truth.labels[first:last],
                    "runs": {
                        "start": truth.start[runs],
                        "length": truth.length[runs],
                        "object": owners.astype(np.int32),
                    },
                }
                yield name, example

    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        Ships(data_dir=str(out)).download_and_prepare()
