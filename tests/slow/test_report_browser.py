"""The report in Debian's Chromium with the network off: what people see, press and save."""

import csv
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from report_cases import ARMS, HOSTILE, write_reference_pictures, write_sweep

from sweeps.analysis.choices import rater_consistency, read_choices, win_shares
from sweeps.analysis.comparison import compare
from sweeps.report import report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.slow

CHROMIUM = Path("/usr/bin/chromium")
_FLAGS: tuple[str, ...] = (
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-sync",
)
_FLAGS += ("disable-background-networking", "disable-component-update")
_PATIENCE = 30  # seconds until what must come has come; no test measures time


@dataclass
class View:
    """A page, and what it said and asked for."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def until(self, condition: str) -> None:
        """Wait; playwright's own waiting evaluates text, which the page's policy forbids."""
        end = time.monotonic() + _PATIENCE
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, condition
            time.sleep(0.02)

    def count(self, selector: str) -> int:
        number: int = self.page.locator(selector).count()
        return number

    def download(self, press: Callable[[], None]) -> str:
        with self.page.expect_download() as saved:
            press()
        return Path(saved.value.path()).read_text(encoding="utf-8")


Open = Callable[..., View]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with playwright.sync_playwright() as running:
        launched = running.chromium.launch(
            executable_path=str(CHROMIUM), args=[f"--{flag}" for flag in _FLAGS]
        )
        yield launched
        launched.close()


@pytest.fixture
def see(browser: Any) -> Iterator[Open]:
    """Open a page; at the end nothing was asked of a network and nothing was complained of."""
    views, contexts = [], []

    def dismiss(view: View, dialog: Any) -> None:
        view.said.append("dialog")
        dialog.dismiss()

    def show(path: Path, hash_: str = "", **options: Any) -> View:
        given = {"viewport": {"width": 1400, "height": 900}} | options
        context = browser.new_context(offline=True, accept_downloads=True, **given)
        view = View(context.new_page())
        view.page.on("console", lambda message: view.said.append(message.text))
        view.page.on("pageerror", lambda error: view.said.append(str(error)))
        view.page.on("request", lambda request: view.asked.append(request.url))
        view.page.on("dialog", lambda dialog: dismiss(view, dialog))
        views.append(view)
        contexts.append(context)
        view.page.goto(path.as_uri() + hash_)
        view.until("document.body.dataset.ready === '1'")
        return view

    yield show
    for view in views:
        assert view.said == []
        assert all(url.startswith(("file:", "data:", "blob:")) for url in view.asked)
    for context in contexts:
        context.close()


SHOWN = "document.querySelectorAll('.job').length"
LOADED = (
    "[...document.querySelectorAll('.job img')].filter(i => i.complete && i.naturalWidth).length"
)


def test_filters_a_search_and_the_scatter_leave_the_same_jobs(see: Open, tmp_path: Path) -> None:
    write_sweep(tmp_path)  # 5 directions, 2 seeds, 3 arms
    view = see(report([tmp_path]))
    page = view.page
    view.until(f"{SHOWN} === 30 && {LOADED} === 30")
    page.locator("[data-column='@arm'] .value", has_text="cosine").first.locator("input").uncheck()
    assert view.count(".job") == 20 and page.inner_text("#count") == "20 of 30 jobs"
    assert page.locator("#scatter").get_attribute("data-shown") == "20"
    page.fill("#search", "conv2:10 seed=1")
    assert view.count(".job") == 2 and page.inner_text("#count") == "2 of 30 jobs"
    page.locator(".chips").get_by_text("clear all").click()
    assert view.count(".job") == 30
    box = page.locator("#scatter").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2, steps=3)
    page.mouse.up()
    picked = view.count(".job")
    assert 0 < picked < 30 and page.inner_text("#count") == f"{picked} of 30 jobs"
    assert page.locator("#scatter").get_attribute("data-shown") == str(picked)
    view.until("location.hash.includes('brush=')")
    again = see(tmp_path / "report.html", page.evaluate("location.hash"))
    assert again.count(".job") == picked  # the address is the view


def test_any_columns_are_the_axes_and_rows_sort_by_a_difference(see: Open, tmp_path: Path) -> None:
    results = write_sweep(tmp_path)
    view = see(report([tmp_path]), "#rows=seed&columns=objective&fold=mean")
    assert view.count(".line") == 2 and view.count(".head") == 3
    view = see(tmp_path / "report.html", "#sort=difference&a=cosine&b=dot")
    table = results.pivot_table("dot", "label", "objective")
    order = (table["cosine"] - table["dot"]).sort_values(ascending=False).index.tolist()
    assert view.page.locator(".line .name b").all_inner_texts() == order


def test_a_zoom_tells_all_of_a_job(see: Open, tmp_path: Path) -> None:
    results = write_sweep(tmp_path)
    write_reference_pictures(tmp_path, list(range(30)))
    view = see(report([tmp_path]))
    page = view.page
    job = page.locator(".job").nth(3)
    key = int(job.get_attribute("data-key"))
    job.click()
    row = results.set_index("job").loc[key]
    for metric in ("dot", "cosine"):
        shown = page.locator(f"#zoom tr[data-metric={metric}] .number").first
        assert float(shown.get_attribute("title")) == pytest.approx(row[metric], rel=1e-5)
        assert page.locator(f"#zoom tr[data-metric={metric}] .meaning").inner_text()
    assert view.count("#zoom .curve canvas") == 1 and view.count("#zoom .thumb") == 3
    assert view.count("#zoom .strip.small img") == 4
    command = page.locator("#zoom .command code").first.inner_text()
    assert (
        command.startswith("python -m sweeps model=tiny")
        and f"objective={row['objective']}" in command
    )
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    other = page.evaluate("location.hash") or page.evaluate("document.title")
    assert other and page.locator("#zoom .pinned").is_hidden()
    page.keyboard.down(" ")
    assert page.locator("#zoom .pinned").is_visible()
    assert page.locator("#zoom .tag").inner_text().startswith("A:")
    page.keyboard.up(" ")
    assert page.locator("#zoom .pinned").is_hidden()
    view.until("location.hash.includes('pin=')")
    page.keyboard.press("Escape")
    assert page.evaluate("document.querySelector('#zoom').open") is False
    assert page.evaluate("document.activeElement.dataset.key") == str(key)


def test_the_keyboard_is_enough(see: Open, tmp_path: Path) -> None:
    write_sweep(tmp_path)
    view = see(report([tmp_path]))
    page = view.page
    page.locator(".job[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.at") == "1,1,0"
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('#zoom').open")
    before = page.inner_text("#zoom h2")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#zoom h2") != before
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.locator("#tab-pictures").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#tab-compare").get_attribute("aria-selected") == "true"
    unnamed = """[...document.querySelectorAll('button, select, input')].filter(e => {
        const label = e.closest('label')?.textContent ?? '';
        return e.offsetParent && !(e.getAttribute('aria-label') || (e.textContent + label).trim());
    })"""
    for tab in ("pictures", "compare", "jobs", "judge"):
        page.click(f"#tab-{tab}")
        assert page.evaluate(f"{unnamed}.length") == 0, tab


def test_comparisons_lead_to_their_pictures(see: Open, tmp_path: Path) -> None:
    results = write_sweep(tmp_path)
    view = see(report([tmp_path]), "#tab=compare")
    page = view.page
    table = compare(results, ["objective"], "dot").set_index("arm")
    line = page.locator("tr[data-arm=cosine]")
    assert line.locator("td").nth(5).inner_text() == str(table.loc["cosine", "pairs"])
    shown = line.locator("td").nth(0).inner_text().replace("\u2212", "-")
    assert float(shown) == pytest.approx(table.loc["cosine", "difference"], rel=0.01)
    line.get_by_role("button").click()
    assert view.count(".job") == 20 and view.count(".head") == 2
    assert page.locator(".line .key").first.inner_text().startswith(("+", "\u2212"))
    page.go_back()
    view.until("document.querySelector('#tab-compare').ariaSelected === 'true'")


def test_a_hostile_table_is_text(see: Open, tmp_path: Path) -> None:
    directory = tmp_path / "50% of #1 <i>ü"
    write_sweep(
        directory, HOSTILE, status={3: "failed", 7: "diverged", 10: "dead"}, note=HOSTILE[0]
    )
    view = see(report([directory]))
    page = view.page
    view.until(f"{LOADED} > 10")
    for tab in ("compare", "jobs", "pictures"):
        page.click(f"#tab-{tab}")
    assert view.count("#main script, #main b b, #main i, img[src=x]") == 0
    page.locator(".job[data-status=failed]").first.click()
    assert "<b>out of memory</b>" in page.inner_text("#zoom .bad")
    assert HOSTILE[0] in page.inner_text("#zoom h2")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="1 failed, 1 diverged, 1 dead").click()
    assert view.count(".job") == 3 and "3 of 48" in page.inner_text("#count")
    page.locator(".chips button").first.click()
    rows = list(csv.DictReader(view.download(page.locator(".bar button.quiet").click).splitlines()))
    assert len(rows) == 48
    assert all(row["row"].startswith("'") for row in rows if "cmd|" in row["row"])
    assert all(float(row["cosine"]) for row in rows if row["status"] == "ok")  # also negative ones
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        "document.body.append(s); }"
    )
    assert page.evaluate("window.ran") is None
    assert "script" in view.said.pop().lower()  # the policy's complaint


@pytest.mark.parametrize(
    ("labels", "arms", "status"),
    [
        (["conv2:0"], {"dot": None}, {}),
        (["conv2:0", "conv2:1"], ARMS, dict.fromkeys(range(6), "failed")),
    ],
)
def test_one_job_and_none_that_came_through(
    see: Open, tmp_path: Path, labels: list[str], arms: dict[str, Any], status: dict[int, str]
) -> None:
    results = write_sweep(tmp_path, labels, 1, status, arms=arms)
    view = see(report([tmp_path], portable=True))
    assert view.count(".job") == len(results)
    for tab in ("compare", "jobs", "judge", "pictures"):
        view.page.click(f"#tab-{tab}")
        assert view.page.inner_text("#main").strip()
    view.page.locator(".job").first.click()
    assert view.page.inner_text("#zoom h2").startswith("conv2:0")


def test_a_page_without_its_pictures_says_so(see: Open, tmp_path: Path) -> None:
    write_sweep(tmp_path, seeds=1)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    report([tmp_path]).rename(moved / "report.html")
    view = see(moved / "report.html")
    view.until("!document.querySelector('#notice').hidden")
    assert "--portable" in view.page.inner_text("#notice")
    view.said.clear()  # the browser's own words on missing files


def test_five_thousand_jobs_are_few_elements(see: Open, tmp_path: Path) -> None:
    write_sweep(tmp_path, [f"conv2:{i}" for i in range(834)], steps=5)
    view = see(report([tmp_path]))
    page = view.page
    elements = "document.querySelectorAll('*').length"
    assert page.inner_text("#count") == "5004 jobs" and page.evaluate(elements) < 1500
    page.evaluate("document.querySelector('#grid').scrollTop = 1e9")
    view.until("[...document.querySelectorAll('.name b')].some(e => e.textContent === 'conv2:833')")
    view.until(f"{LOADED} === {SHOWN}")
    assert page.evaluate(elements) < 1500
    page.click("#tab-jobs")
    page.evaluate("document.querySelector('#jobs').scrollTop = 1e9")
    view.until("!!document.querySelector('tr[data-key=\"5003\"]')")
    assert page.evaluate(elements) < 2500


def test_blind_judging_names_no_arm_until_its_end(see: Open, tmp_path: Path) -> None:
    write_sweep(tmp_path, arms={"unspoken_a": None, "unspoken_b": None})
    write_reference_pictures(tmp_path, list(range(20)))
    saved = []
    for seed in ("0", "0", "1"):
        view = see(report([tmp_path]), "#tab=judge")
        page = view.page
        page.locator(".fields input[type=number]").nth(2).fill(seed)
        page.click("#start-preference")
        for _ in range(16):  # ten pairs, six of them again
            view.until("!!document.querySelector('.trial')")
            seen = page.evaluate("document.body.innerText + document.title + location.href")
            seen += page.evaluate("document.querySelector('main').innerHTML")
            assert "unspoken" not in seen and "images/" not in seen
            place = page.inner_text(".trial p")
            while page.locator(".trial").count() and page.inner_text(".trial p") == place:
                page.keyboard.press("ArrowLeft")
        text = view.download(page.locator("#save-answers").click)
        saved.append(list(csv.DictReader(text.splitlines())))
    (tmp_path / "answers.csv").write_text(text, encoding="utf-8")
    choices = read_choices([tmp_path / "answers.csv"])
    assert win_shares(choices)["trials"].tolist() == [10, 10]
    assert rater_consistency(choices)[["repeated", "alike", "left"]].to_numpy().tolist() == [
        [6, 0, 1]
    ]
    first, again, other = saved
    sides = [[(r["job_left"], r["job_right"]) for r in rows] for rows in (first, again, other)]
    assert sides[0] == sides[1] != sides[2] and len(first) == 16
    for row in first:
        assert row["chosen_job"] == row["job_left"] and row["task"] == "preference"
    for row in first[10:]:  # mirrored
        assert row["job_left"] == first[int(row["repeats"])]["job_right"]
    left = sum(row["arm_left"] == "unspoken_a" for row in first[:10] + other[:10])
    assert 3 < left < 17


def test_identification_says_which_natural_image_was_right(see: Open, tmp_path: Path) -> None:
    write_sweep(tmp_path, seeds=1)
    view = see(report([tmp_path], portable=True), "#tab=judge")
    assert "kept no reference images" in view.page.inner_text("#main")
    write_reference_pictures(tmp_path, list(range(15)))
    view = see(report([tmp_path]), "#tab=judge")
    page = view.page
    page.click("#start-identification")
    for _ in range(4):
        place = page.inner_text(".trial p")
        assert view.count(".trial canvas") == 3
        while page.inner_text(".trial p") == place:
            page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    text = view.download(page.locator("#save-answers").click)
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 4
    (tmp_path / "answers.csv").write_text(text, encoding="utf-8")
    shares = win_shares(read_choices([tmp_path / "answers.csv"]))
    right = sum(row["correct"] == "1" for row in rows)
    assert (shares["share"] * shares["trials"]).sum() == pytest.approx(right)
    for row in rows:
        assert {row["arm_left"], row["arm_right"]} == {"most", "least"} and row["arm"] in (
            "dot",
            "cosine",
        )
        assert row["correct"] == str(int(row["arm_right"] == "most"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast(see: Open, tmp_path: Path, scheme: str) -> None:
    write_sweep(tmp_path, seeds=1, status={2: "diverged"})
    view = see(report([tmp_path]), color_scheme=scheme)
    texts = ["#about", ".caption", ".link.warn", "nav button", "#side .dim"]
    told = view.page.evaluate(
        """texts => texts.map(text => {
        const node = document.querySelector(text), clear = /, 0\\)|transparent/;
        const colour = one => getComputedStyle(one).backgroundColor;
        let back = node;
        while (back !== document.body && clear.test(colour(back))) back = back.parentElement;
        return [text, getComputedStyle(node).color, colour(back)]; })""",
        texts,
    )
    for selector, front, back in told:
        assert contrast(front, back) >= 4.5, selector


def contrast(front: str, back: str) -> float:
    """WCAG's ratio of two colours, given as `rgb(r, g, b)`."""

    def luminance(colour: str) -> float:
        parts = [float(x) / 255 for x in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(front), luminance(back)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_data_are_what_the_page_says(see: Open, tmp_path: Path) -> None:
    write_sweep(tmp_path, seeds=1)
    view = see(report([tmp_path]))
    data = json.loads(view.page.locator("#data").text_content())
    assert data["n"] == view.count(".job") == 15


def test_one_slider_moves_all_pictures_through_the_snapshots(see: Open, tmp_path: Path) -> None:
    write_sweep(tmp_path, ["conv2:0"], 1, {1: "failed"}, snapshots=(16, 64))
    view = see(report([tmp_path]))
    page = view.page
    view.until(f"{LOADED} === 2")
    shown = "[...document.querySelectorAll('.job img')].map(i => i.getAttribute('src')).join()"
    assert page.evaluate(shown) == "images/0.png,images/2.png"
    slider = page.locator(".bar .steps input")
    slider.fill("0")
    assert page.evaluate(shown) == "images/0-step16.png,images/2-step16.png"
    assert page.inner_text(".bar .steps output") == "step 16"
    view.until("location.hash.includes('step=16')")
    page.locator(".job[data-key='2']").click()
    assert page.locator("#zoom .frame img").get_attribute("src") == "images/2-step16.png"
    page.locator("#zoom .steps input").fill("1")
    assert page.locator("#zoom .frame img").get_attribute("src") == "images/2-step64.png"
    assert page.locator("#zoom a[data-of]").get_attribute("href") == "images/2-step64.png"
    page.keyboard.press("Escape")
    assert page.evaluate(shown) == "images/0-step64.png,images/2-step64.png"
    assert page.inner_text(".bar .steps output") == "step 64"
    again = see(tmp_path / "report.html", "#step=16")
    again.until(f"{LOADED} === 2")
    assert again.page.evaluate(shown) == "images/0-step16.png,images/2-step16.png"
