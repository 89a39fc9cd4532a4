"""Writing a practice competition against bare JPEG encoding of the same tiles.

Run: make bench

Both run in turn, with the same number of threads.
"""

import io
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from start import choose

from kit.practice.folder import write_practice
from kit.system.processes import count_cores

TILES, ROUNDS = choose(120, 4), choose(3, 1)


def encode(image: Image.Image) -> int:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=75)
    return buffer.tell()


def main() -> None:
    ours, bare = [], []
    for seed in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            place, begun = Path(folder) / "competition", time.perf_counter()
            out = write_practice(place, images=TILES, test_images=1, seed=seed)
            ours.append(time.perf_counter() - begun)
            images = []
            for path in sorted((out / "train_v2").iterdir()):
                try:
                    images.append(Image.open(path).convert("RGB"))
                except OSError:  # the truncated one
                    images.append(Image.new("RGB", (768, 768)))
        begun = time.perf_counter()
        with ThreadPoolExecutor(count_cores()) as pool:
            list(pool.map(encode, images))
        bare.append(time.perf_counter() - begun)
    rate, peer = TILES / np.median(ours), TILES / np.median(bare)
    print(
        f"practice {rate:.0f} tiles/s, bare JPEG encoding {peer:.0f} tiles/s, ratio "
        f"{rate / peer:.3f}, {count_cores()} threads"
    )


if __name__ == "__main__":
    main()
