import numpy as np

from app.face.blendshapes import INPUT_POINTS, NAMES, blendshapes
from app.face.detector import Array
from app.values import BLENDSHAPES, FaceMesh


def test_names_and_points_have_the_nets_sizes() -> None:
    assert len(set(NAMES)) == len(NAMES) == BLENDSHAPES
    assert len(set(INPUT_POINTS)) == len(INPUT_POINTS) == 146
    assert list(INPUT_POINTS) == sorted(INPUT_POINTS)


def test_the_net_gets_the_chosen_points_and_scores_are_clamped() -> None:
    class Net:
        def run(self, image: Array) -> dict[str, Array]:
            self.seen = image
            return {"scores": np.linspace(-0.5, 1.5, 52, dtype=np.float32)}

    net = Net()
    points = np.arange(478 * 3, dtype=np.float32).reshape(478, 3)
    scores = blendshapes(net, points)
    np.testing.assert_array_equal(net.seen[0, -1], points[477, :2])
    assert net.seen.shape == (1, 146, 2)
    assert (scores.min(), scores.max()) == (0, 1)


def test_the_astronaut_smiles_with_open_eyes(astronaut_mesh: FaceMesh) -> None:
    scores = dict(zip(NAMES, astronaut_mesh.blendshapes, strict=True))
    assert min(scores["mouthSmileLeft"], scores["mouthSmileRight"]) > 0.6
    assert max(scores["eyeBlinkLeft"], scores["eyeBlinkRight"], scores["jawOpen"]) < 0.2
