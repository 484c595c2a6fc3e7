"""The dashboard in a headless Chromium, over a real cluster: what it shows, and that it can be used by everybody."""

import itertools
import json
import pathlib
import signal
import sys
import time
import unittest

import browser
from cluster import SOURCE, Cluster

DEMO = SOURCE / "models" / "demo"
PLAIN = SOURCE / "tests" / "golden" / "cases" / "base" / "model"
SHOWN = "document.getElementById('main')?.hidden === false"
STATE = "document.getElementById('state').textContent"
FAKE_STATUS = "window.fetch = async () => new Response({text}, {{headers: {{'Content-Type': 'application/json'}}}});"
WATCH_SHIFTS = """window.shifted = 0;
new PerformanceObserver(list => { for (const entry of list.getEntries()) window.shifted += entry.value; })
  .observe({type: 'layout-shift', buffered: true});"""
# Least contrast of each kind of text with what is behind it (WCAG 2.1).
CONTRAST = """(() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => channels(colour).slice(0, 3).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = element => { for (let e = element; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor;
    if ((channels(colour)[3] ?? 1) > 0) return colour; } return 'rgb(255, 255, 255)'; };
  let least = 99;
  for (const element of document.querySelectorAll('h1,h2,p,dt,dd div,td,th,label,legend,a,button,span,summary')) {
    if (!element.textContent.trim() || !element.getClientRects().length) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    least = Math.min(least, (Math.max(a, b) + .05) / (Math.min(a, b) + .05));
  }
  return least;
})()"""


@unittest.skipUnless(browser.find(), "no Chromium is installed")
class Dashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(DEMO, workers=2, predictor=DEMO / "predictor").__enter__()
        cls.addClassCleanup(cls.cluster.__exit__)
        cls.url = f"http://127.0.0.1:{cls.cluster.admin_port}/"
        for prompt in ("topic: a large ship that carries goods across the sea", "topic: to walk slowly", "topic: a tall plant"):
            cls.cluster.complete(prompt, min_tokens=8)

    def setUp(self):
        self.browser = browser.Browser().__enter__()
        self.addCleanup(self.browser.__exit__)
        self.browser.before_every_page(WATCH_SHIFTS)

    def open(self, **look):
        self.browser.look(**look)
        self.browser.open(self.url)
        self.browser.wait_for(SHOWN)

    def status(self):
        return json.loads(self.cluster.admin("/status?experts=1")[1])

    def open_with(self, status):
        self.browser.before_every_page(FAKE_STATUS.format(text=json.dumps(json.dumps(status))))
        self.open()

    def test_it_shows_the_loaded_cluster(self):
        self.open()
        self.cluster.complete("topic: the colour of the sky", min_tokens=8)
        self.browser.wait_for("parseFloat(document.querySelector('#tiles .value').textContent) > 0")
        self.assertIn("Ready", self.browser.run(STATE))
        cards = self.browser.run("document.getElementById('cluster').innerText")
        for name in ("router", "predictor-0", "worker-0", "worker-1"):
            self.assertIn(name, cards)
        self.assertRegex(cards, r"[\d.]+ MiB of [\d.]+ MiB")
        self.assertEqual(self.browser.run("document.querySelectorAll('#layers tr').length"), 6)
        used = sum(rows > 0 for layer in self.status()["experts"]["rows"] for rows in layer)
        self.browser.wait_for(f"document.getElementById('heat').getAttribute('aria-label').includes('{used} experts were used')")
        self.assertEqual(self.browser.problems, [])

    def test_it_fits_a_phone_and_follows_the_colour_scheme(self):
        pages = set()
        for scheme, (width, phone) in itertools.product(("light", "dark"), ((1280, False), (360, True))):
            with self.subTest(scheme=scheme, width=width):
                self.open(width=width, height=740, scheme=scheme, phone=phone)
                self.assertLessEqual(self.browser.run("document.documentElement.scrollWidth"), width)
                self.assertGreaterEqual(self.browser.run(CONTRAST), 4.5)
                pages.add(self.browser.run("getComputedStyle(document.body).backgroundColor"))
        self.assertEqual(len(pages), 2)

    def test_a_keyboard_reaches_everything(self):
        self.open()
        reached = []
        for _ in range(12):
            self.browser.press("Tab")
            reached.append(self.browser.run("document.activeElement.id || document.activeElement.className || document.activeElement.name || document.activeElement.tagName"))
            if reached[-1] == "heat":
                self.browser.press("ArrowRight")
                self.browser.press("ArrowRight")
                self.browser.press("ArrowDown")
        for wanted in ("skip", "pause", "colour", "heat", "SUMMARY", "scroll", "A"):
            self.assertIn(wanted, reached)
        self.assertRegex(self.browser.run("document.getElementById('picked').textContent"), r"^encoder 1, expert 1: [\d,]+ rows .*resident on worker-\d")

    def test_pausing_stops_the_figures_and_is_told(self):
        self.open()
        self.browser.run("document.getElementById('pause').focus()")
        self.browser.press(" ")
        self.assertEqual(self.browser.run("document.getElementById('pause').getAttribute('aria-pressed')"), "true")
        self.assertIn("Paused", self.browser.run(STATE))
        self.browser.press(" ")
        self.browser.wait_for(f"{STATE}.includes('Ready')")

    def test_nothing_moves_while_it_updates(self):
        self.open()
        for _ in range(3):
            self.cluster.complete("topic: a small house", min_tokens=8)
            samples = self.browser.run("samples.length")
            self.browser.wait_for(f"samples.length > {samples}")
        self.assertLess(self.browser.run("shifted"), 0.01)

    def test_pictures_have_words(self):
        self.open()
        self.assertEqual(self.browser.run("[...document.querySelectorAll('[role=img], meter')].filter(e => !e.hidden && !e.getAttribute('aria-label')).length"), 0)
        table = self.browser.run("document.getElementById('expert-rows').textContent")
        self.assertIn("encoder 0", table)

    def test_a_large_model_is_drawn_within_a_frame_or_few(self):
        status = self.status()
        status["model"].update(encoder_moe_layers=6, moe_layers=12, experts_per_layer=256)
        status["experts"]["rows"] = [[(layer * expert) % 97 for expert in range(256)] for layer in range(12)]
        status["experts"]["resident"] = {"worker-0": [list(range(0, 256, 2))] * 12, "worker-1": [list(range(0, 256, 3))] * 12}
        status["agreement_by_layer"] = [{**status["agreement_by_layer"][0], "layer": layer} for layer in range(12)]
        self.open_with(status)
        self.assertEqual(self.browser.run("document.querySelectorAll('#expert-rows tr').length"), 12)
        took = self.browser.run("(() => { const begun = performance.now(); show(latest); return performance.now() - begun; })()")
        self.assertLess(took, 500)
        self.assertEqual(self.browser.problems, [])

    def test_names_are_text_whatever_they_hold(self):
        status = self.status()
        status["processes"][0]["name"] = "<img src=x onerror=alert(1)>"
        status["model"]["name"] = "<b>bold</b>"
        self.open_with(status)
        self.assertIn("<img src=x", self.browser.run("document.getElementById('cluster').textContent"))
        self.assertEqual(self.browser.run("document.querySelectorAll('img, b').length"), 0)

    def test_an_idle_cluster_is_no_error(self):
        status = self.status()
        for layer in status["agreement_by_layer"]:
            layer.update(routed=0, compared=0, agreed=0, hits=0, misses=0, agreement=None, hit_rate=None, lead_ms=None)
        status["experts"]["rows"] = [[0] * 16 for _ in range(6)]
        status.update(agreement=None, hit_rate=None)
        self.open_with(status)
        self.assertIn("none yet", self.browser.run("document.getElementById('tiles').textContent"))
        self.assertNotIn("NaN", self.browser.run("document.body.innerText"))
        self.assertEqual(self.browser.problems, [])

    def test_it_says_that_it_loads(self):
        self.browser.before_every_page("window.fetch = () => new Promise(() => {});")
        self.browser.open(self.url)
        self.assertIn("Loading", self.browser.run(STATE))
        self.assertTrue(self.browser.run("document.getElementById('main').hidden"))


@unittest.skipUnless(browser.find(), "no Chromium is installed")
class DashboardOfAFailingCluster(unittest.TestCase):
    def test_it_tells_of_a_lost_worker_and_of_a_router_that_is_gone(self):
        with Cluster(PLAIN) as cluster, browser.Browser() as page:
            page.look()
            page.open(f"http://127.0.0.1:{cluster.admin_port}/")
            page.wait_for(SHOWN)
            cluster.workers[1].signal(signal.SIGKILL)
            page.wait_for("document.getElementById('cluster').innerText.includes('✗ lost')")
            cluster.router.signal(signal.SIGKILL)
            page.wait_for(f"{STATE}.includes('does not answer since')")
            self.assertEqual(page.run("document.getElementById('main').className.trim()"), "stale")
            self.assertIn("worker-0", page.run("document.getElementById('cluster').innerText"))


def write_pictures(folder):
    """`dashboard_test.py --pictures FOLDER` writes what docs/dashboard.md shows."""
    words = "ship sea carries goods tall plant trunk walk slowly colour sky river stone bread king house night day water".split()
    with Cluster(DEMO, workers=2, predictor=DEMO / "predictor") as cluster, browser.Browser() as page:
        page.look(width=1100, height=800)
        page.open(f"http://127.0.0.1:{cluster.admin_port}/")
        page.wait_for(SHOWN)
        end = time.monotonic() + 60
        for turn in itertools.count():
            if time.monotonic() > end:
                break
            prompt = "topic: a " + " ".join(words[(turn * step) % len(words)] for step in range(1, 4 + turn % 9))
            cluster.complete([prompt] * (1 + turn % 5), min_tokens=4 + turn % 9)
            time.sleep(0.02 * (turn % 7))
        page.screenshot(folder / "dashboard.webp")
        page.look(width=390, height=844, scheme="dark", phone=True)
        page.wait_for("layout.width < 390")
        page.screenshot(folder / "dashboard_phone.webp", whole_page=False)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--pictures"]:
        write_pictures(pathlib.Path(sys.argv[2]))
    else:
        sys.exit(unittest.main(verbosity=2))
