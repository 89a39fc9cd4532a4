"""Metadata of records for tensorflow-datasets, which then opens them without the kit."""

import contextlib
import io
from pathlib import Path

import numpy as np

from ...records.manifest import DATASET


def features():
    """The record's features as tensorflow-datasets describes them."""
    import tensorflow_datasets as tfds

    return tfds.features.FeaturesDict(
        {
            "image_id": tfds.features.Text(),
            "image": tfds.features.Image(shape=(None, None, 3), dtype=np.uint8),
            "height": np.int32,
            "width": np.int32,
            "scene": np.int64,
            "objects": np.int32,
            "labels": tfds.features.Sequence(np.int32),
            "runs": tfds.features.Sequence(
                {"start": np.int32, "length": np.int32, "object": np.int32}
            ),
        }
    )


def write_metadata(folder: Path, shards: list[dict]) -> None:
    """Writes the metadata of shards for tensorflow-datasets.

    Args:
        folder: where the metadata goes.
        shards: file, split, count and bytes of each shard, in order.
    """
    import tensorflow_datasets as tfds

    template = tfds.core.ShardedFileTemplate(
        data_dir=folder, dataset_name=DATASET, filetype_suffix="tfrecord"
    )
    splits: dict[str, list[dict]] = {}
    for shard in shards:
        splits.setdefault(shard["split"], []).append(shard)
        (folder / shard["file"]).touch()  # write_metadata needs the files' names only
    infos = [
        tfds.core.SplitInfo(
            name=name,
            shard_lengths=[shard["count"] for shard in held],
            num_bytes=sum(shard["bytes"] for shard in held),
        )
        for name, held in splits.items()
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        tfds.folder_dataset.write_metadata(
            data_dir=str(folder),
            features=features(),
            split_infos=infos,
            filename_template=template,
            version="1.0.0",
            check_data=False,
        )
