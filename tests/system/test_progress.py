import sys

from kit.system import progress


def test_in_a_log_short_work_says_nothing_and_long_work_a_line(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    for seconds, lines in ((progress.LOG_SECONDS, 0), (0, 3)):
        monkeypatch.setattr(progress, "LOG_SECONDS", seconds)
        with progress.bar(3, "work") as bar:
            for _ in range(3):
                bar.update(1)
                bar.refresh()
        assert capsys.readouterr().err.count("work: ") >= lines
        assert (lines > 0) or capsys.readouterr().err == ""


def test_in_a_terminal_there_is_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.bar(3, "work") as bar:
        bar.update(3)
    assert "work: 100%" in capsys.readouterr().err
