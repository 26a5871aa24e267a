import fcntl
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import WeightsError
from app.weights.hub import HUB_URL, Hub
from app.weights.weight_file import HubFile, WeightFile
from tests.unit.weights.hub_server import HubServer, serving

CONTENT = bytes(range(256)) * 4096
ORIGIN = HubFile("owner/name", "a/b", "folder/net.bin")
FILE = WeightFile(
    "net/net.bin", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), "MIT", "nobody", ORIGIN
)
HALF = len(CONTENT) // 2


@pytest.fixture
def server() -> Iterator[HubServer]:
    with serving(CONTENT) as running:
        yield running


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "net" / ".net.part"


def download(server: HubServer, part: Path, tries: int = 1) -> list[int]:
    """Return what the progress was told."""
    told: list[int] = []
    Hub(server.url, pauses_s=(0.0,) * (tries - 1)).download(FILE, ORIGIN, part, told.append)
    return told


def test_a_file_is_asked_for_by_repository_and_revision(server: HubServer, part: Path) -> None:
    told = download(server, part)
    assert part.read_bytes() == CONTENT
    assert server.asked == [("/owner/name/resolve/a%2Fb/folder/net.bin", "")]
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, len(CONTENT))


def test_a_redirect_is_followed_with_its_range(server: HubServer, part: Path) -> None:
    server.redirects = True
    part.parent.mkdir()
    part.write_bytes(CONTENT[:HALF])
    download(server, part)
    assert part.read_bytes() == CONTENT
    assert server.asked[-1] == (
        "/store/owner/name/resolve/a%2Fb/folder/net.bin",
        f"bytes={HALF}-",
    )


def test_a_cut_transfer_goes_on_where_it_stopped(server: HubServer, part: Path) -> None:
    server.cuts = [1000, 2000]
    download(server, part, tries=3)
    assert part.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == ["", "bytes=1000-", "bytes=3000-"]


def test_a_cut_without_an_announced_length_is_noticed(server: HubServer, part: Path) -> None:
    server.length = False
    server.cuts = [1000]
    download(server, part, tries=2)
    assert part.read_bytes() == CONTENT


def test_a_later_call_resumes_what_an_earlier_one_left(server: HubServer, part: Path) -> None:
    server.cuts = [HALF]
    with pytest.raises(WeightsError, match=f"stopped at {HALF} of {len(CONTENT)} bytes") as caught:
        download(server, part)
    assert "goes on from there" in caught.value.hint
    assert part.read_bytes() == CONTENT[:HALF]
    told = download(server, part)
    assert part.read_bytes() == CONTENT
    assert server.asked[-1][1] == f"bytes={HALF}-"
    assert told[0] == HALF


def test_a_hub_without_ranges_sends_all_again(server: HubServer, part: Path) -> None:
    server.ranges = False
    server.cuts = [HALF]
    download(server, part, tries=2)
    assert part.read_bytes() == CONTENT


def test_a_hub_that_always_cuts_at_one_place_is_given_up(server: HubServer, part: Path) -> None:
    server.ranges = False
    server.cuts = [HALF] * 100
    with pytest.raises(WeightsError, match="stopped at"):
        download(server, part, tries=3)
    assert len(server.asked) == 3


def test_a_whole_part_costs_no_request(server: HubServer, part: Path) -> None:
    part.parent.mkdir()
    part.write_bytes(CONTENT)
    download(server, part)
    assert not server.asked


@pytest.mark.parametrize("length", [True, False], ids=["announced", "unannounced"])
@pytest.mark.parametrize("change", [b"", b"more"], ids=["shorter", "longer"])
def test_another_size_is_refused(
    server: HubServer, part: Path, change: bytes, length: bool
) -> None:
    server.length = length
    server.content = CONTENT + change if change else CONTENT[:-1]
    with pytest.raises(WeightsError):
        download(server, part)
    assert part.read_bytes() in (b"", CONTENT[:-1])


def test_another_digest_is_refused_and_not_kept(server: HubServer, part: Path) -> None:
    server.content = CONTENT[::-1]
    with pytest.raises(WeightsError, match="digest"):
        download(server, part)
    assert part.read_bytes() == b""
    server.content = CONTENT
    download(server, part)
    assert part.read_bytes() == CONTENT


def test_a_damaged_part_heals_at_the_next_call(server: HubServer, part: Path) -> None:
    part.parent.mkdir()
    part.write_bytes(b"x" * HALF)
    with pytest.raises(WeightsError, match="digest"):
        download(server, part)
    download(server, part)
    assert part.read_bytes() == CONTENT


def test_a_busy_hub_is_asked_again(server: HubServer, part: Path) -> None:
    server.statuses = [503, 429]
    download(server, part, tries=3)
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [401, 404, 416])
def test_a_refusal_is_final(server: HubServer, part: Path, status: int) -> None:
    server.statuses = [status] * 9
    with pytest.raises(WeightsError, match=str(status)):
        download(server, part, tries=3)
    assert len(server.asked) == 1


def test_no_hub_at_all_says_what_to_check(part: Path) -> None:
    with serving(CONTENT) as gone:
        url = gone.url
    with pytest.raises(WeightsError) as caught:
        Hub(url, pauses_s=()).download(FILE, ORIGIN, part, lambda done: None)
    assert "network" in caught.value.hint


def test_two_processes_do_not_write_one_file(server: HubServer, part: Path) -> None:
    part.parent.mkdir()
    with part.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(WeightsError, match="Another process"):
            download(server, part)
    assert not server.asked


def test_the_hub_is_a_public_one_over_https() -> None:
    assert Hub().url == HUB_URL
    assert HUB_URL.startswith("https://")
