"""Records as tensorflow-datasets knows them: their features, and the metadata by which it opens them without the kit."""

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
    """Writes tensorflow-datasets' metadata of some shards (file, split, count, bytes, in order) into `folder`."""
    import tensorflow_datasets as tfds

    template = tfds.core.ShardedFileTemplate(
        data_dir=folder, dataset_name=DATASET, filetype_suffix="tfrecord"
    )
    splits: dict[str, list[dict]] = {}
    for shard in shards:
        splits.setdefault(shard["split"], []).append(shard)
        (folder / shard["file"]).touch()  # it asks for the names, not for what they hold
    infos = [
        tfds.core.SplitInfo(
            name=name,
            shard_lengths=[shard["count"] for shard in parts],
            num_bytes=sum(shard["bytes"] for shard in parts),
        )
        for name, parts in splits.items()
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
