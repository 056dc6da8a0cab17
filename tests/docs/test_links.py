"""Links between pages hold, and every page is found from the index."""

import pytest

from tests.docs.documents import DOCS, PAGES, ROOT, anchors, links, name

READ = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def target(page, link):
    """The file and the anchor that a link of a page points to."""
    path, _, anchor = link.partition("#")
    return ((page.parent / path).resolve() if path else page), anchor


def broken(page):
    for link in links(page):
        path, anchor = target(page, link)
        if not path.exists():
            yield f"{link}: no such file"
        elif anchor and path.suffix == ".md" and anchor not in anchors(path):
            yield f"{link}: no such heading"


@pytest.mark.parametrize("page", READ, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_hold(page):
    assert list(broken(page)) == []


def test_a_broken_link_is_seen(tmp_path):
    page = tmp_path / "a.md"
    page.write_text(
        "# A b\n[one](#a-b) [two](b.md) [three](#c) `[four](d.md)` [five](http://x.y/z)\n"
    )
    assert list(broken(page)) == ["b.md: no such file", "#c: no such heading"]


def test_every_page_is_reached_from_the_index():
    seen, open_ = set(), [DOCS / "README.md"]
    while open_:
        page = open_.pop()
        if page in seen:
            continue
        seen.add(page)
        open_ += [path for link in links(page) if (path := target(page, link)[0]).suffix == ".md"]
    assert [name(page) for page in PAGES if page not in seen] == []


def test_the_index_names_every_page_of_its_folder():
    index = {target(DOCS / "README.md", link)[0] for link in links(DOCS / "README.md")}
    assert [
        name(p) for p in PAGES if p.parent == DOCS and p not in index | {DOCS / "README.md"}
    ] == []


def test_every_picture_is_shown_on_a_page():
    shown = {target(page, link)[0] for page in READ for link in links(page)}
    drawn = {*DOCS.rglob("*.png"), *DOCS.rglob("*.svg")}
    assert sorted(name(picture) for picture in drawn - shown) == []
