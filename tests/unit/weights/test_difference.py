from app.weights.difference import difference
from app.weights.layout import Layout, TensorLayout

WANTED = Layout(
    "net", (), {key: TensorLayout("float32", (size,)) for size, key in enumerate("abcd")}
)


def test_equal_tensors_do_not_differ() -> None:
    assert not difference(WANTED.tensors, WANTED)


def test_every_difference_is_named() -> None:
    found = {
        "e": TensorLayout("float32", ()),
        "d": TensorLayout("int64", (3,)),
        "c": TensorLayout("float32", (2, 1)),
    }
    differs = difference(found, WANTED)
    assert differs
    assert differs.lines() == [
        "missing: a, b",
        "unexpected: e",
        "different: c is float32[2, 1], not float32[2], d is int64[3], not float32[3]",
    ]


def test_long_lists_are_cut_where_asked() -> None:
    assert difference({}, WANTED).lines(most=1) == ["missing: a and 3 more"]
