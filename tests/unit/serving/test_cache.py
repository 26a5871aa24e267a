"""The bounded cache."""

from app.serving.cache import BoundedCache


def test_the_least_recently_used_make_room() -> None:
    cache = BoundedCache[bytes](10, len)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    assert cache.get("a") == b"1234"
    cache.put("c", b"1234")
    assert cache.get("b") is None
    assert cache.get("a") == b"1234"
    assert cache.get("c") == b"1234"


def test_one_value_may_exceed_the_bound_alone() -> None:
    cache = BoundedCache[bytes](2, len)
    cache.put("a", b"1234")
    assert cache.get("a") == b"1234"
    cache.put("b", b"12345")
    assert cache.get("a") is None
    assert cache.get("b") == b"12345"


def test_a_value_put_again_counts_once() -> None:
    cache = BoundedCache[bytes](8, len)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    cache.put("a", b"4321")
    assert cache.get("a") == b"4321"
    assert cache.get("b") == b"1234"


def test_entries_are_bounded_too() -> None:
    cache = BoundedCache[bytes](100, len, max_entries=2)
    cache.put("a", b"1")
    cache.put("b", b"1")
    assert cache.get("a")
    cache.put("c", b"1")
    assert cache.get("b") is None
    cache.put("a", b"2")
    assert (cache.get("a"), cache.get("c")) == (b"2", b"1")
