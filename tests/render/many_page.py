"""What a reader does in the overview of many runs; each acts in the browser it is given."""


def names(b):
    return b.run("return [...document.querySelectorAll('#table tbody .cut')].map(n => "
                 "n.textContent)")  # fmt: skip


def told(b, name="table"):
    return b.run(f"return document.getElementById('{name}-told').textContent")


def click(b, query):
    b.run("document.querySelector(arguments[0]).click()", query)
    b.frames()


def sort(b, heading):
    b.run(
        "[...document.querySelectorAll('#table th button')].find(n => "
        "n.textContent === arguments[0]).click()", heading
    )  # fmt: skip


def search(b, text="", status=""):
    b.run(
        "const f = document.getElementById('table-filter'), s = "
        "document.getElementById('table-status');"
        "f.value = arguments[0]; f.dispatchEvent(new Event('input'));"
        "s.value = arguments[1]; s.dispatchEvent(new Event('change'))", text, status
    )  # fmt: skip


def key(b, axis, name, **more):
    b.run(
        "document.querySelectorAll('.axis')[arguments[0]].dispatchEvent(new KeyboardEvent("
        "'keydown', {key: arguments[1], bubbles: true, ...arguments[2]}))", axis, name, more
    )  # fmt: skip
    b.frames(3)


def axis_box(b, axis):
    b.run("document.getElementById('sweep').scrollIntoView()")
    b.frames()
    return b.run(
        "const r = document.querySelectorAll('.axis')[arguments[0]].getBoundingClientRect();"
        "return [r.x + r.width / 2, r.y, r.height]", axis
    )  # fmt: skip


def drag(b, axis, low, high):
    x, y, tall = axis_box(b, axis)
    place = lambda share: (x, y + (1 - share) * tall)  # noqa: E731
    b.mouse(("move", *place(low)), ("down",), ("move", *place((low + high) / 2)),
            ("move", *place(high)), ("up",))  # fmt: skip
    b.frames(3)
