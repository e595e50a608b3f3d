"""The system's Chromium on the pages of a dashboard: looks, screenshots, what went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect

ROOT = Path(__file__).parents[2]
AXE = ROOT / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
# Kept for people to look at; not committed.
OUT = Path(__file__).parent / "out"
expect.set_options(timeout=15_000)
_NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}`);
});
"""
# Texts with a time as the pages write it (apps write others in texts of theirs) that neither
# they nor an element around them tell in UTC.
_LOCAL_ALONE = """() => {
  const alone = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { data, parentElement } = texts.currentNode;
    const isTime = /^[0-2]\\d:[0-5]\\d|[0-2]\\d:[0-5]\\d:[0-5]\\d[.]\\d{3}/.test(data);
    const isTold = data.includes("UTC") || parentElement.closest("[title*=UTC]");
    if (isTime && !isTold && !parentElement.closest("script")) alone.push(data);
  }
  return alone;
}"""


@dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    theme: str = "light"
    width: int = 1280

    def __str__(self) -> str:
        return f"{self.theme}-{self.width}"


# Each theme and each width once; the Overview is looked at in all four.
LOOKS = (Look("light"), Look("dark", 360))
ALL_LOOKS = (*LOOKS, Look("dark"), Look("light", 360))


def page_paths() -> Iterator[str]:
    """The paths of dashboard/src/pages.ts."""
    text = (ROOT / "dashboard" / "src" / "pages.ts").read_text()
    yield from re.findall(r'\bpath: "(/[^"]*)"', text)


class Window:
    """One browser window on a dashboard; `page` is Playwright's."""

    def __init__(self, browser: Browser, address: str, token: str, look: Look) -> None:
        self.look = look
        self._address = address
        self._token = token
        self._errors: list[str] = []
        self.context: BrowserContext = browser.new_context(
            viewport={"width": look.width, "height": 800},
            color_scheme=look.theme,  # type: ignore[arg-type]
            reduced_motion="reduce",
        )
        self.context.add_init_script(_NOTE_VIOLATIONS)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("pageerror", lambda error: self._errors.append(str(error)))

    def open(self, path: str = "/") -> Page:
        """Open a page by a link with the token, and wait until nothing is loading."""
        self.visit(path)
        self.settle()
        return self.page

    def visit(self, path: str) -> Page:
        """Open a page by a link with the token, whatever it still loads."""
        joint = "&" if "?" in path else "?"
        self.page.goto(f"{self._address}{path}{joint}token={self._token}")
        return self.page

    def settle(self) -> None:
        """Wait until the page is there and no part of it says that it loads."""
        # Not wait_for_function: it evaluates text, which the policy forbids.
        expect(self.page.locator("main > *").first).to_be_attached()
        expect(self.page.locator("[data-state=loading]")).to_have_count(0)

    def answer_no_more(self, path: str) -> None:
        """What the API is asked there from now on fails: what is new can only be pushed."""
        self.page.route(f"**/api{path}*", lambda route: route.abort())

    def check(self, name: str) -> None:
        """Keep a screenshot; nothing may be wrong with what it shows."""
        OUT.mkdir(exist_ok=True)
        self.page.screenshot(path=OUT / f"{name}-{self.look}.png", full_page=True)
        assert self.page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        ), f"{name} is wider than {self.look.width} pixels"
        times = self.page.evaluate(_LOCAL_ALONE)
        assert times == [], f"times without their UTC on hover: {times}"
        findings = self.accessibility()
        assert not findings, "\n".join(findings)
        self.check_errors()

    def check_errors(self) -> None:
        """No exception in a script, and nothing that the policy had to refuse."""
        assert self._errors == []
        assert self.page.evaluate("window.violations") == []

    def accessibility(self) -> list[str]:
        """The serious findings of axe."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text())
        found: dict[str, Any] = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{one['id']}: {one['help']}: {node['html'][:200]} {node.get('failureSummary', '')}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def close(self) -> None:
        """Close it."""
        self.context.close()
