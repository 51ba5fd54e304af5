# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Elements of HTML and SVG as text that is well-formed XML too. Whatever is not
`Markup` is escaped, so that text of a file cannot become an element."""

from __future__ import annotations

import re

#: What XML 1.0 has no way to write.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: The elements that HTML closes by itself, and those of SVG that have no content.
_EMPTY = {"meta", "br", "rect", "line", "circle", "path"}


class Markup(str):
    """Text that is markup already."""


def escaped(text: object) -> str:
    """Text as it stands in content and in attributes."""
    result = _NO_XML.sub("\ufffd", str(text))
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        result = result.replace(character, entity)
    return result


def joined(*children: object) -> Markup:
    """Children one after the other; None is left out."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else escaped(child)
            for child in children
            if child is not None
        )
    )


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """An element. Attributes that are None are left out; "_" in a name stands
    for "-", and one at the end is dropped (`class_`); floats are rounded to
    hundredths of a unit."""
    text = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(_attribute(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if tag in _EMPTY and not children:
        return Markup(f"<{tag}{text}/>")
    return Markup(f"<{tag}{text}>{joined(*children)}</{tag}>")


def _attribute(value: object) -> object:
    return f"{round(value, 2):g}" if isinstance(value, float) else value
