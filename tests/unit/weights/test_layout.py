import pytest

from app.weights.layout import NETWORKS, layout
from tests.parity import manifest


@pytest.mark.parametrize("network", NETWORKS)
def test_layouts_are_those_of_the_published_files(network: str) -> None:
    published, ours = manifest(network), layout(network)
    assert list(ours.container) == published["container"]
    assert [
        (key, [list(tensor.shape), tensor.dtype]) for key, tensor in ours.tensors.items()
    ] == list(published["keys"].items())


def test_a_layout_outside_the_list_is_refused() -> None:
    with pytest.raises(ValueError, match="network"):
        layout("../../secret")
