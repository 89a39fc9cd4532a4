"""A pool that leaves nobody at work behind it."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from kit.errors import KitError
from kit.system import processes


def mark(task):
    """Work for a spawned worker: leaves a file; the first task fails."""
    folder, number = task
    if number == 0:
        raise KitError("the first task fails")
    time.sleep(0.1)
    (Path(folder) / str(number)).touch()
    return number * 2


def test_results_come_with_the_numbers_of_their_tasks(tmp_path):
    with processes.run_tasks(
        mark, [(str(tmp_path), number) for number in range(1, 6)], 2
    ) as results:
        assert dict(results) == {number: 2 * number + 2 for number in range(5)}
    with processes.run_tasks(mark, []) as results:
        assert list(results) == []


@pytest.mark.parametrize("leave", ["error", "break"])
def test_after_an_error_nobody_works_on(tmp_path, leave):
    tasks = [(str(tmp_path), number) for number in range(0 if leave == "error" else 1, 12)]
    try:
        with processes.run_tasks(mark, tasks, 2) as results:
            for _ in results:
                if leave == "break":
                    break
    except KitError as error:
        assert "the first task fails" in str(error)
    assert not multiprocessing.active_children()
    done = len(os.listdir(tmp_path))
    time.sleep(0.2)  # twice as long as a task takes
    assert done == len(os.listdir(tmp_path)) < 8
