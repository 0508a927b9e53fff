"""On which screens pages are looked at, and what is measured there."""

SCREENS = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 320, "height": 568}}
KINDS = ["h1", "h2", "dt", "dd", ".row", ".dim", ".tag", "label", "button", ".button", ".notice", ".error", ".hint p"]
# of the first element of each kind that the page has
CONTRAST = """(kinds) => {
    const light = (color) => {
        const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map((part) => {
            const share = part / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        for (let one = element; one; one = one.parentElement) {
            const color = getComputedStyle(one).backgroundColor;
            if (color !== "rgba(0, 0, 0, 0)" && color !== "transparent") return color;
        }
        return "rgb(255, 255, 255)";
    };
    return kinds.map((kind) => document.querySelector(kind)).filter(Boolean).map((element) => {
        const [text, page] = [light(getComputedStyle(element).color), light(ground(element))];
        return (Math.max(text, page) + 0.05) / (Math.min(text, page) + 0.05);
    });
}"""
# with what a screen reader says of them, and how tall they are
CONTROLS = """() => [...document.querySelectorAll("main button, main a, main input")]
    .filter((one) => one.checkVisibility())
    .map((one) => [one.getAttribute("aria-label") || one.labels?.[0]?.textContent || one.textContent.trim(),
        one.getBoundingClientRect().height])"""


def measure(page, found):
    found.setdefault("overflow", []).append(page.evaluate("document.documentElement.scrollWidth > innerWidth"))
    found.setdefault("contrast", []).extend(page.evaluate(CONTRAST, KINDS))
    found.setdefault("controls", []).extend(page.evaluate(CONTROLS))
