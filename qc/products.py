"""Which product a card in a chat shows, and its price: what the customer was asking about."""

from __future__ import annotations

import polars as pl

# 「[商品] 桂花乌龙 ¥68」「【宝贝】… 价格:68.00元」, or the address of a product's page. Linear-time patterns.
_TAG = r"^\s*[\[【][^\[\]【】]{1,8}[\]】]\s*"
_PRICE = r"(?:¥|￥|价格[::]?|RMB)\s*(\d{1,7}(?:\.\d{1,2})?)|(\d{1,7}(?:\.\d{1,2})?)\s*元"
_PAGE = (
    r"^https?://(?:item\.taobao|detail\.tmall|h5\.m\.taobao|item\.m?\.?jd|item\.jd)\.com/\S*?(?:[?&]id=|/)(\d{5,20})"
)
_ORDER = r"订单|运单|物流|包裹"
LONGEST = 60  # characters of a name; what is longer is a description. Ours


def shown(cards: pl.Series) -> pl.DataFrame:
    """Texts of cards -> (product, price_fen), a row a card, in order; NULL where the card shows no product or no price.

    An order's card names no product. A link stands for the number of its product.

    >>> shown(pl.Series(["[商品] 桂花乌龙 ¥68", "https://item.taobao.com/item.htm?id=612345678901", "[订单] 3309", None])).rows()
    [('桂花乌龙', 6800), ('612345678901', None), (None, None), (None, None)]
    """
    text = pl.col("text").str.normalize("NFKC")
    price = text.str.extract_groups(_PRICE)
    yuan = pl.coalesce(price.struct["1"], price.struct["2"]).cast(pl.Float64)
    name = text.str.replace(_TAG, "").str.replace_all(_PRICE, " ").str.replace_all(r"\s+", " ").str.strip_chars(" ·|,,")
    number = text.str.extract(_PAGE)
    is_address = text.str.contains(r"https?://")
    named = (
        pl.when(text.str.contains(_ORDER) | is_address | (name == "")).then(None).otherwise(name.str.slice(0, LONGEST))
    )
    return pl.DataFrame({"text": pl.Series(cards, dtype=pl.String)}).select(
        product=pl.coalesce(number, named), price_fen=(yuan * 100).round().cast(pl.Int64)
    )


def shown_in(messages: pl.DataFrame) -> pl.DataFrame:
    """frames.Message -> (conversation_id, seq, product, price_fen): the customers' cards that show a product or a price."""
    cards = messages.filter((pl.col("content_kind") == "card") & (pl.col("sender_kind") == "customer"))
    found = cards.select("conversation_id", "seq").hstack(shown(cards["text"]))
    return found.filter(pl.any_horizontal(pl.col("product", "price_fen").is_not_null()))


def names(products: pl.Series) -> list[str]:
    """The distinct names among products as they are shown or ordered, in order; the number of a page is no name.

    >>> names(pl.Series(["桂花乌龙", "612345678901", None, "桂花乌龙", "冷泡茶"]))
    ['冷泡茶', '桂花乌龙']
    """
    text = products.drop_nulls().str.strip_chars()
    return text.filter((text.str.len_chars() > 1) & ~text.str.contains(r"^\d+$")).unique().sort().to_list()
