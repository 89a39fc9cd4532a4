"""A headless Chromium that opens one page, and what it said and asked for meanwhile."""

import contextlib
import json
import shutil
import tempfile

import pytest

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update"
)


@contextlib.contextmanager
def open_page(path, width=1280, height=1000, dark=False):
    """A selenium driver that shows the file at `path`; use `find_faults` at the end.

    Skips the test if there is no Chromium.
    """
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("chromium and chromedriver are not on this machine")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    with tempfile.TemporaryDirectory() as profile:
        for flag in (
            *FLAGS.split(),
            "--disable-sync",
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
        ):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        try:
            scheme = {
                "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
            }
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
            size = {
                "width": width,
                "height": height,
                "deviceScaleFactor": 1,
                "mobile": False,
            }  # a window has no less than 500 px
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            browser.get_log("performance")  # of the page that a browser begins with
            browser.get(path.as_uri())
            yield browser
        finally:
            browser.quit()


def find_faults(browser, path) -> list[str]:
    """Messages of the console, and addresses that the page asked for outside of its own file."""
    faults = [entry["message"] for entry in browser.get_log("browser")]
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            address = message["params"]["request"]["url"]
            if address != path.as_uri() and not address.startswith(("data:", "chrome:")):
                faults.append(address)
    return faults
