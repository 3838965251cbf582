"""Renders a recording as an SVG whose frames are shown by a CSS animation, so that it works as an image of a page."""

import html

import pyte

from .cast import COLUMNS, ROWS, Event

Run = tuple[int, str, str]
"""Column, text and classes of cells with the same look."""
Line = tuple[Run, ...]
Frame = tuple[float, tuple[Line, ...]]

WIDTH, HEIGHT, MARGIN = 8.4, 18, 12  # of a cell and of the border, in pixels
MOST_FRAMES = 160
FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
LAST_FRAME = 4.0  # seconds for which the end is shown
COLORS = {
    "black": "#6e7681",
    "red": "#ff7b72",
    "green": "#56d364",
    "brown": "#e3b341",
    "blue": "#79c0ff",
    "magenta": "#d2a8ff",
    "cyan": "#76e3ea",
    "white": "#f0f6fc",
}


def read_frames(events: list[Event], interval: float) -> list[Frame]:
    """Returns the screens of a terminal that shows the output, at least an interval in seconds apart."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    frames: list[Frame] = []
    for number, (at, text) in enumerate(events):
        stream.feed(text)
        is_last = number == len(events) - 1
        if not is_last and events[number + 1][0] < (frames[-1][0] if frames else 0) + interval:
            continue
        lines = tuple(read_line(screen, row) for row in range(ROWS))
        if not frames or frames[-1][1] != lines:
            frames.append((at, lines))
    return frames


def read_line(screen: pyte.Screen, row: int) -> Line:
    """Returns the cells of a line that are not empty."""
    runs: list[list] = []
    for column in range(COLUMNS):
        cell = screen.buffer[row][column]
        names = [cell.fg.removeprefix("bright")] if cell.fg.removeprefix("bright") in COLORS else []
        classes = " ".join(names + ["bold"] * cell.bold)
        if runs and runs[-1][2] == classes:
            runs[-1][1] += cell.data
        else:
            runs.append([column, cell.data, classes])
    return tuple((column, text.rstrip(), classes) for column, text, classes in runs if text.strip())


def choose_frames(events: list[Event]) -> list[Frame]:
    """Returns as many frames as fit into a small file."""
    interval = 0.1
    while len(frames := read_frames(events, interval)) > MOST_FRAMES:
        interval *= 1.5
    return frames


def render_svg(events: list[Event], title: str) -> str:
    """Returns the SVG. Without animations, it shows the last frame."""
    frames = choose_frames(events)
    lines = sorted({line for _, shown in frames for line in shown if line})
    ids = {line: f"l{number}" for number, line in enumerate(lines)}
    width, height = round(COLUMNS * WIDTH + 2 * MARGIN), ROWS * HEIGHT + 2 * MARGIN
    definitions = "".join(f'<g id="{ids[line]}">{render_line(line)}</g>\n' for line in lines)
    strip = "".join(render_frame(number * width, shown, ids) for number, (_, shown) in enumerate(frames))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{render_style(frames, width)}</style>\n"
        f"<defs>\n{definitions}</defs>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>\n<g class="strip">\n{strip}</g>\n</svg>\n'
    )


def render_style(frames: list[Frame], width: int) -> str:
    """Returns the fonts, the colors, and the animation that moves one frame after the other into view."""
    total = frames[-1][0] + LAST_FRAME
    steps = [
        f"{100 * at / total if number else 0:.2f}%{{transform:translateX(-{number * width}px)}}"
        for number, (at, _) in enumerate(frames)
    ]
    end = f"transform:translateX(-{(len(frames) - 1) * width}px)"
    colors = [f".{name}{{fill:{color}}}" for name, color in COLORS.items()]
    rows = [
        f"text{{font:14px {FONTS};fill:#c9d1d9;white-space:pre}}",
        ".bold{font-weight:bold}",
        *colors,
        f".strip{{{end};animation:play {total:.2f}s steps(1,end) infinite}}",
        "@media (prefers-reduced-motion:reduce){.strip{animation:none}}",
        f"@keyframes play{{{''.join(steps)}100%{{{end}}}}}",
    ]
    return "\n".join(rows) + "\n"


def render_line(line: Line) -> str:
    """Returns the texts of a line. Their lengths are given, because the widths of fonts differ."""
    texts = []
    for column, text, classes in line:
        look = f' class="{classes}"' if classes else ""
        start = column + len(text) - len(text.lstrip())
        word = text.lstrip()
        texts.append(
            f'<text x="{MARGIN + start * WIDTH:.1f}" textLength="{len(word) * WIDTH:.1f}" xml:space="preserve"{look}>'
            f"{html.escape(word, quote=False)}</text>"
        )
    return "".join(texts)


def render_frame(left: int, shown: tuple[Line, ...], ids: dict[Line, str]) -> str:
    """Returns one frame at its place in the strip of all frames."""
    uses = [
        f'<use href="#{ids[line]}" y="{MARGIN + (row + 1) * HEIGHT - 4}"/>' for row, line in enumerate(shown) if line
    ]
    return f'<g transform="translate({left})">{"".join(uses)}</g>\n'
