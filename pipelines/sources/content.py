"""What a message holds, told by the source's own word for it or, failing that, by its text."""

from __future__ import annotations

import re
from functools import cache

from pipelines.resources import data_dir, read_yaml

# The whole message is an address: of a picture, or of a product or an order page. Linear-time.
PICTURE = re.compile(r"https?://\S+\.(?:jpe?g|png|gif|webp|bmp)(?:\?\S*)?", re.IGNORECASE)
PAGE = re.compile(r"https?://(?:item\.(?:taobao|jd)\.com|detail\.tmall\.com|h5\.m\.taobao\.com|item\.m\.jd\.com)/\S+")
RECALLED = re.compile(r".{0,40}撤回了一条消息")


@cache
def words() -> dict[str, str]:
    """How exports write content kinds -> ours."""
    path = data_dir() / "lexicons" / "content_kinds.yaml"
    lists = read_yaml(path)
    return {word.lower(): kind for kind, written in lists.items() for word in written}


def of_word(word: object) -> str | None:
    """The content kind of a source's word; None where it says nothing (a number, an unknown word)."""
    return words().get(word.strip().lower()) if isinstance(word, str) else None


def of_text(text: str) -> str:
    """The content kind of a message that says nothing of it."""
    bare = text.strip()
    if PICTURE.fullmatch(bare) or bare == "[图片]":
        return "image"
    if PAGE.fullmatch(bare):
        return "card"
    return "recall" if RECALLED.fullmatch(bare) else "text"


def of_file(mime: str) -> str:
    """The content kind of an attachment by its media type (image/png, audio/mpeg …)."""
    return {"image": "image", "audio": "voice"}.get(mime.partition("/")[0], "file")
