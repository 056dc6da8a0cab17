"""More than two hundred texts that try to become markup, script or style, and their planting."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

# Each would call hit() or load an address of canary.invalid if anything of it were executed.
_FAMILIES = (
    "<script>hit()</script>",
    "</script><script>hit()</script>",
    "<ScRiPt src=//canary.invalid/x></sCrIpT>",
    "<img src=x onerror=hit()>",
    "<img src=//canary.invalid/i.png>",
    '" onmouseover="hit()" x="',
    "' onfocus='hit()' autofocus='",
    '"><svg onload=hit()>',
    "<svg><script>hit()</script></svg>",
    "<svg><animate onbegin=hit() attributeName=x dur=1s>",
    "<svg><use href='data:image/svg+xml,<svg onload=hit()>#x'/>",
    "<svg><foreignObject><body onload=hit()></foreignObject></svg>",
    "</title><body onload=hit()>",
    "</style><style>@import '//canary.invalid/c.css';</style>",
    "</textarea></select></noscript><iframe src=javascript:hit()></iframe>",
    "<iframe srcdoc='<script>parent.hit()</script>'></iframe>",
    "<object data=javascript:hit()></object><embed src=javascript:hit()>",
    "<a href=javascript:hit()>x</a>",
    "<base href=//canary.invalid/><link rel=stylesheet href=c.css>",
    "<meta http-equiv=refresh content='0;url=//canary.invalid'>",
    "<form action=//canary.invalid><button formaction=javascript:hit()>x</button></form>",
    "<details open ontoggle=hit()>",
    "<input autofocus onfocus=hit()>",
    "<math><mtext><table><mglyph><style><img src=x onerror=hit()></style></mglyph></table></mtext>",
    "<template><script>hit()</script></template>",
    "{{ hit() }}{{ 7*7 }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "${hit()}#{hit()}<%= hit() %>",
    "{{constructor.constructor('hit()')()}}",
    "\\u003cscript\\u003ehit()\\u003c/script\\u003e",
    '"});hit();({"a":"',
    '"]}</script><script>hit()//',
    "]]>--><!--<script>hit()</script>",
    "javascript:hit()",
    "data:text/html,<script>hit()</script>",
    "background:url(//canary.invalid/b.png);x:expression(hit())",
    "};*{background:url(//canary.invalid/s.png)}",
    "&lt;script&gt;hit()&lt;/script&gt;&#60;img src=x onerror=hit()&#62;",
    "../../../etc/passwd%00.html?x=//canary.invalid",
    "__proto__.hit constructor[toString]",
    "<marquee onstart=hit()><video><source onerror=hit()></video>",
)
_CHANGES = (
    lambda text: text,
    lambda text: text.upper().replace("HIT()", "hit()"),
    lambda text: "\u2028".join(text.split(" ")) + "\u2029",
    lambda text: f"\u202e{text}\u2066\x00",
    lambda text: f"'\">{text}<!--\n\t{text[::-1]}",
)
PAYLOADS = tuple(dict.fromkeys(change(text) for change in _CHANGES for text in _FAMILIES))

# In each page before its own script: whatever runs, is blocked or fails is counted.
CANARY = """
window.hits = [];
window.hit = (...told) => { hits.push("ran " + told); };
window.alert = window.confirm = window.prompt = window.HIT = window.hit;
addEventListener("error", (event) => hits.push("error " + event.message), true);
addEventListener("unhandledrejection", (event) => hits.push("rejected " + event.reason));
document.addEventListener("securitypolicyviolation", (event) =>
  hits.push("blocked " + event.violatedDirective + " " + event.blockedURI + " " + event.sample));
"""


def planted(tree, kept, shared=()):
    """A tree of dataclasses in which each text field holds all payloads, spread over its places.

    Parameters
    ----------
    tree : dataclass
    kept : set of str
        Fields that stay, ``Class.field``, and classes: names of states, not text.
    shared : collection of str
        Fields that name the same things: equal texts in them stay equal.

    Returns
    -------
    tree
        A changed copy.
    dict
        What stands where: lists of texts by ``Class.field``.
    """
    found = {}

    def note(place, text):
        group = "shared" if place in shared else place
        found.setdefault(group, {}).setdefault(text if place in shared else len(found[group]), "")
        return text

    _walk(tree, kept, "", note)
    for group, texts in found.items():
        for k, original in enumerate(texts):
            chosen = PAYLOADS[k :: len(texts)] or (PAYLOADS[k % len(PAYLOADS)],)
            texts[original] = " ".join((*chosen, f"{group} {k}"))
    told = {}

    def plant(place, text):
        held = told.setdefault(place, [])
        new = found["shared"][text] if place in shared else found[place][len(held)]
        held.append(new)
        return new

    return _walk(tree, kept, "", plant), told


def _walk(value, kept, place, change):
    if type(value) is str:
        return change(place, value) if value and place not in kept else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        name = type(value).__name__
        if name in kept:
            return value
        changed = {
            f.name: _walk(getattr(value, f.name), kept, f"{name}.{f.name}", change)
            for f in dataclasses.fields(value)
            if f.init and f"{name}.{f.name}" not in kept
        }
        return dataclasses.replace(value, **changed)
    if isinstance(value, Mapping):
        return {_key(k, kept, place, change): _walk(v, kept, place, change)
                for k, v in value.items()}  # fmt: skip
    if type(value) is tuple:
        return tuple(_walk(v, kept, place, change) for v in value)
    return value


def _key(key, kept, place, change):
    structural = type(key) is not str or key in ("text", "patch") or f"{place} key" in kept
    return key if structural else change(f"{place} key", key)
