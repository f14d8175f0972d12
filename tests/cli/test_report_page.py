"""The page of `lookalike report` in headless Chromium: clicks, keyboard, back button, search, hostile names, dark mode.

With LOOKALIKE_SCREENSHOTS=FOLDER the screenshots that are taken stay there.
"""

import json
import os
import shutil
import struct
import tempfile
import unittest
from pathlib import Path

from report_shop import HOSTILE, ITEMS, SCRIPT_ID, Shop

try:
    from selenium import webdriver
    from selenium.common.exceptions import NoAlertPresentException
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.select import Select
    from selenium.webdriver.support.wait import WebDriverWait
except ImportError:
    webdriver = None

PHONE, DESK = (390, 844), (1280, 860)
VIEWS = ("products", "training", "reconstructions")


CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


def browser():
    """Headless Chromium that keeps what it logs."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars",
                 "--disable-background-networking", "--disable-component-update", "--no-first-run"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))


@unittest.skipUnless(webdriver and CHROMIUM and DRIVER, "needs chromium, chromedriver and selenium")
class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.driver = browser()
        cls.addClassCleanup(cls.driver.quit)
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.shop = Shop(temporary.name)
        cls.page = cls.shop.report()
        cls.shots = Path(os.environ.get("LOOKALIKE_SCREENSHOTS", temporary.name))

    def setUp(self):
        self.window(DESK)
        self.open()

    def tearDown(self):
        with self.assertRaises(NoAlertPresentException):
            self.driver.switch_to.alert.accept()
        logs = [entry["message"] for entry in self.driver.get_log("browser")]
        self.assertEqual(logs, [])
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.assertRegex(message["params"]["request"]["url"], r"^(file|data|about):")

    def window(self, size, scheme="light"):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def open(self, address="", page=None):
        self.driver.get("about:blank")
        self.driver.get((page or self.page).as_uri() + address)

    def js(self, script, *words):
        return self.driver.execute_script("return " + script, *words)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def until(self, condition):
        WebDriverWait(self.driver, 10, 0.02).until(lambda _: condition())

    def go(self, address):
        self.driver.execute_script("location.hash = arguments[0]", address)
        self.until(lambda: self.js("decodeURIComponent(location.hash) === decodeURIComponent(arguments[0])", address))

    def keys(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self):
        return self.js("document.activeElement.title || document.activeElement.id "
                       "|| document.activeElement.querySelector('.name')?.title")

    def heading(self):
        return self.js("document.querySelector('section:not([hidden]) h2').textContent")

    def shown(self):
        """Names in the gallery, as filtered and ordered."""
        return self.js("[...document.querySelectorAll('#grid li:not([hidden]) .name:not(.about)')].map((name) => name.title)")

    def near(self):
        return self.js("[...document.querySelectorAll('#near li')].map((tile) => [tile.querySelector('.name').title, "
                       "tile.querySelector('.distance').textContent])")

    def test_it_opens_on_the_products(self):
        self.assertEqual(self.heading(), "catalog")
        self.assertEqual(self.js("document.title"), "catalog - Lookalike")
        self.assertEqual(len(self.shown()), ITEMS)
        self.assertEqual(self.one("#count").text, f"{ITEMS} products")
        self.assertEqual(self.one("nav [aria-current=page]").text, "Products")

    def test_clicks_lead_from_neighbour_to_neighbour_and_back(self):
        self.all("#grid a")[5].click()
        self.until(lambda: self.heading() == self.shown()[5])
        first, neighbours = self.heading(), self.near()
        self.assertEqual(len(neighbours), 12)
        distances = [float(distance) for _, distance in neighbours]
        self.assertEqual(distances, sorted(distances))
        self.assertNotIn(first, [name for name, _ in neighbours])
        self.all("#near a")[1].click()
        self.until(lambda: self.heading() == neighbours[1][0])
        self.assertIn(neighbours[1][0], self.js("document.title"))
        self.driver.back()
        self.until(lambda: self.heading() == first)
        self.assertEqual(self.near(), neighbours)
        self.driver.back()
        self.until(lambda: self.heading() == "catalog")
        self.assertEqual(self.focused(), first)
        self.driver.forward()
        self.until(lambda: self.heading() == first)

    def test_distances_are_those_of_search(self):
        found = json.loads(self.shop.run("search", "discs/004.png", "-c", self.shop.catalog, "-k", "12", "--json").stdout)
        self.go("#item/discs%2F004.png")
        near = self.near()
        for (name, distance), wanted in zip(near, found["neighbours"], strict=True):
            self.assertEqual(float(distance), float(f"{wanted['distance']:.{len(distance.partition('.')[2])}f}"))
            if "hex:" not in wanted["id"] and "\n" not in wanted["id"]:
                self.assertEqual(name, wanted["id"])

    def test_the_keyboard_alone(self):
        names = self.shown()
        columns = self.js("getComputedStyle(document.getElementById('grid')).gridTemplateColumns.split(' ').length")
        self.keys("/")
        self.until(lambda: self.focused() == "search")
        self.keys(Keys.ARROW_DOWN)
        self.assertEqual(self.focused(), names[0])
        self.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
        self.assertEqual(self.focused(), names[2 + columns])
        self.keys(Keys.ARROW_LEFT, Keys.ARROW_UP)
        self.assertEqual(self.focused(), names[1])
        self.keys(Keys.END)
        self.assertEqual(self.focused(), names[-1])
        self.keys(Keys.ARROW_RIGHT)
        self.assertEqual(self.focused(), names[-1])
        self.keys(Keys.HOME, Keys.ARROW_RIGHT, Keys.ENTER)
        self.until(lambda: self.heading() == names[1])
        self.assertEqual(self.js("document.activeElement.tagName"), "H2")
        # One Tab past the way back, and the first neighbour has the focus.
        near = self.near()
        self.one(".back").send_keys(Keys.TAB)
        self.assertEqual(self.focused(), near[0][0])
        self.keys(Keys.ARROW_RIGHT, Keys.ENTER)
        self.until(lambda: self.heading() == near[1][0])
        self.keys(Keys.ESCAPE)
        self.until(lambda: self.heading() == "catalog")
        self.assertEqual(self.focused(), near[1][0])
        # The grid is one stop: another Tab leaves it.
        self.keys(Keys.TAB)
        self.assertFalse(self.js("document.getElementById('grid').contains(document.activeElement)"))

    def test_search_finds_by_any_part_of_an_id(self):
        self.go("#training")
        self.keys("/")
        self.until(lambda: self.focused() == "search")
        self.keys("DISCS/01")
        self.assertEqual(self.shown(), [f"discs/{i:03}.png" for i in range(10, 20, 2)])
        self.assertEqual(self.one("#count").text, f"5 products of {ITEMS}")
        self.keys(Keys.ENTER)
        self.assertEqual(self.focused(), "discs/010.png")
        self.keys(Keys.ENTER)
        self.until(lambda: self.heading() == "discs/010.png")
        self.driver.back()
        self.until(lambda: self.heading() == "catalog")
        self.assertEqual(len(self.shown()), 5)
        self.keys("/")
        self.until(lambda: self.focused() == "search")
        self.keys(Keys.ESCAPE)
        self.assertEqual(len(self.shown()), ITEMS)
        self.keys("/")
        self.until(lambda: self.focused() == "search")
        self.keys("no such product")
        self.assertEqual(self.one("#count").text, f"0 products of {ITEMS}")
        self.keys(Keys.ENTER)

    def test_filter_and_order(self):
        labels = Select(self.one("#label"))
        labels.select_by_visible_text("stripes (12)")
        self.assertEqual(self.shown(), [f"stripes/{i:03}.png" for i in range(1, 24, 2)])
        labels.select_by_index(0)
        listed = self.shown()
        items = self.js("JSON.parse(document.getElementById('data').textContent).items")
        names = [item.get("shown", item["id"]) for item in items]
        self.assertEqual(listed, names)
        order = Select(self.one("#order"))
        for value, key in (("alike", lambda i: items[i]["near"][0][1]), ("unlike", lambda i: -items[i]["near"][0][1]),
                           ("worst", lambda i: items[i]["floor"] - items[i]["loss"])):
            order.select_by_value(value)
            self.assertEqual(self.shown(), [names[i] for i in sorted(range(ITEMS), key=key)])
        order.select_by_value("listed")
        self.assertEqual(self.shown(), listed)

    def test_hostile_names_are_text(self):
        for name in (*HOSTILE.values(), SCRIPT_ID):
            self.assertIn(name, self.shown())
        links = self.js("[...document.querySelectorAll('#grid a')].map((link) => link.hash)")
        names = self.shown()
        for name in (*HOSTILE.values(), SCRIPT_ID):
            self.open(links[names.index(name)])
            self.assertEqual(self.heading(), name)
        self.assertEqual(self.js("document.querySelectorAll('img[src=x]').length + document.scripts.length"), 3)

    def test_an_address_of_nothing_opens_the_products(self):
        for address in ("#item/none", "#item/%ff", "#item", "#constructor", "#"):
            self.open(address)
            self.assertEqual(self.heading(), "catalog", address)

    def test_the_policy_holds_without_the_page_s_help(self):
        blocked = self.driver.execute_async_script("""
            const done = arguments[0], seen = [];
            addEventListener('securitypolicyviolation', (event) => {
              seen.push(event.effectiveDirective);
              if (seen.length === 4) done(seen.sort());
            });
            const image = document.createElement('img');
            image.src = 'http://127.0.0.1:9/x.png';
            const script = document.createElement('script');
            script.textContent = 'window.entered = true';
            document.body.append(image, script);
            document.body.setAttribute('onclick', '1');
            fetch('http://127.0.0.1:9/').catch(() => 0);
        """)
        self.assertEqual(blocked, ["connect-src", "img-src", "script-src-attr", "script-src-elem"])
        self.assertIsNone(self.js("window.entered"))
        for log in ("browser", "performance"):  # full of what was refused
            self.driver.get_log(log)

    def test_what_was_trained(self):
        self.go("#training")
        self.until(lambda: self.all("svg.chart"))
        for curve in ("training", "validation"):
            self.assertEqual(len(self.one(f"polyline.{curve}").get_attribute("points").split()), 3)
        self.assertRegex(self.one("svg.chart").get_attribute("aria-label"), r"training loss from 0\.\d{4} to 0\.\d{4}")
        text = self.one("#training-panels").text
        for words in ("Judged by labels", "Refused photos", "batch size", "16", f"products encoded\n{ITEMS}"):
            self.assertIn(words, text)
        self.assertIn("discs/cut.png", self.one("#training-panels").get_attribute("textContent"))

    def test_originals_above_reconstructions(self):
        self.go("#reconstructions")
        self.assertEqual(len(self.all(".pairs li")), 24)
        for image in self.all(".pairs img"):
            self.driver.execute_script("arguments[0].scrollIntoView()", image)
            self.until(lambda image=image: image.get_property("naturalWidth") == 150)
        self.all(".pairs a")[-1].click()
        self.until(lambda: self.js("location.hash.startsWith('#item/')"))

    def test_pictures_come_when_they_are_needed(self):
        self.window(PHONE)
        self.open()
        self.until(lambda: self.all("#grid img")[0].get_property("naturalWidth") == 150)
        last = self.all("#grid img")[-1]
        self.assertIsNone(last.get_attribute("src"))
        self.driver.execute_script("arguments[0].scrollIntoView()", last)
        self.until(lambda: last.get_property("naturalWidth") == 150)

    def test_a_sample_says_so(self):
        page = self.shop.report("sample.html", "--items", "8", "-k", "6")
        self.open(page=page)
        self.assertIn(f"8 of {ITEMS}", self.one("#lead").text)
        self.all("#grid a")[0].click()
        self.until(lambda: len(self.all("#near li")) == 6)
        outside = self.all("#near div.tile")
        self.assertEqual(len(outside) + len(self.all("#near a")), 6)
        self.assertGreater(len(outside), 0)
        for tile in outside:
            self.assertIn("not in this page", tile.text)
            image = tile.find_element(By.TAG_NAME, "img")
            self.until(lambda image=image: image.get_property("naturalWidth") == 75)

    def test_two_widths_light_and_dark(self):
        grounds = set()
        for size in (PHONE, DESK):
            for scheme in ("light", "dark"):
                self.window(size, scheme)
                self.open()
                links = [f"#{view}" for view in VIEWS] + [self.js("document.querySelector('#grid a').hash")]
                for view, address in zip((*VIEWS, "item"), links, strict=True):
                    self.go(address)
                    self.until(lambda: self.js("[...document.images].filter((i) => i.checkVisibility() && "
                                               "i.getBoundingClientRect().top < innerHeight).every((i) => i.naturalWidth > 0)"))
                    self.assertEqual(self.js("document.documentElement.scrollWidth"), size[0], (view, size))
                    png = self.driver.get_screenshot_as_png()
                    self.assertEqual(struct.unpack(">II", png[16:24]), size)
                    (self.shots / f"{view}-{size[0]}-{scheme}.png").write_bytes(png)
                grounds.add((scheme, self.js("getComputedStyle(document.body).backgroundColor")))
            self.go("#products")
            columns = self.js("getComputedStyle(document.getElementById('grid')).gridTemplateColumns.split(' ').length")
            self.assertEqual(columns, 3 if size == PHONE else 8)
        self.assertEqual(len(grounds), 2)
        self.assertEqual(len({ground for _, ground in grounds}), 2)

    def test_a_screen_reader_finds_its_way(self):
        self.assertEqual(self.js("document.documentElement.lang"), "en")
        self.assertEqual(self.js("[...document.images].filter((image) => !image.hasAttribute('alt')).length"), 0)
        self.assertEqual(self.js("[...document.querySelectorAll('input, select')].filter((one) => !one.labels.length).length"), 0)
        self.assertEqual(self.one("#count").get_attribute("role"), "status")
        tile = self.all("#grid a")[0]
        self.assertIn(self.shown()[0].rsplit("/", maxsplit=1)[-1], tile.accessible_name)
        tile.click()
        self.until(lambda: self.one("#subject img").is_displayed())
        self.assertIn(self.heading(), self.one("#subject img").accessible_name)


if __name__ == "__main__":
    unittest.main()
