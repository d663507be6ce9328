"""Posting to addresses of members: nothing private is ever reached."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fondaco.office.notices import outside
from fondaco.office.notices.outside import Doors, NoAnswer, Refused, post, target_of
from tests.notices.receiver import Receiver

PUBLIC = "93.184.216.34"
PRIVATE = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255"),
    *("192.168.1.1", "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200"),
    *("192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1"),
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:93.184.216.34"),
    *("::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "fe80::1", "fe80::1%eth0", "fc00::1"),
    *("fd00:ec2::254", "ff02::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1"),
    *("fec0::1", "100::1", "5f00::1"),
]
OPEN = [PUBLIC, "8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111"]


def doors(*found: str, connect: Callable[..., socket.socket] | None = None) -> Doors:
    """Return doors behind which every name has these addresses; connecting fails the test."""

    def refuse(address: str, port: int, timeout_s: float) -> socket.socket:
        raise AssertionError(f"connected to {address}")

    return Doors(lambda *_: list(found), connect or refuse, outside.verifying, may_loopback=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_with_a_private_address_is_refused(address: str) -> None:
    """Loopback, private, link-local, carrier-grade, multicast, mapped, metadata: no connection."""
    with pytest.raises(Refused):
        post("https://hooks.example/", b"", {}, doors(address))
    with pytest.raises(Refused):
        post("https://hooks.example/", b"", {}, doors(PUBLIC, address))


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_written_out_is_refused_at_once(address: str) -> None:
    """It can't even be added."""
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Refused):
        target_of(f"https://{host}/hook", may_loopback=False)


@pytest.mark.parametrize("address", OPEN)
def test_public_addresses_are_connected_to(address: str) -> None:
    """What is asked of the network is the address that was checked, with the port."""
    asked: list[tuple[str, int]] = []

    def connect(host: str, port: int, timeout_s: float) -> socket.socket:
        asked.append((host, port))
        raise ConnectionRefusedError

    with pytest.raises(NoAnswer):
        post("https://hooks.example:8443/", b"", {}, doors(address, connect=connect))
    assert asked == [(address, 8443)]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "ftp://hooks.example/",
        "https://",
        "https:///path",
        "hooks.example",
        "https://user:word@hooks.example/",
        "https://hooks.example/#part",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://hooks.example/a b",
        "https://hooks.example/\r\nHost: inside",
        "https://hooks.exämple/",
        "https://[::1/",
        "https://hooks.example/" + "a" * 500,
    ],
)
def test_what_is_no_address_of_a_webhook(url: str) -> None:
    """Other schemes, credentials, control characters and long ones are refused by name."""
    with pytest.raises(Refused):
        target_of(url, may_loopback=False)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost", "localhost."])
def test_other_spellings_of_loopback_are_refused(host: str) -> None:
    """The machine's own resolver reads them as loopback, which is checked after it."""
    through = doors()._replace(resolve=outside.resolve)
    with pytest.raises((Refused, NoAnswer)):
        post(f"https://{host}/", b"", {}, through)


def test_a_loose_house_reaches_loopback_and_nothing_else(receiver: Receiver) -> None:
    """Only with the switch, only loopback: other private addresses stay closed."""
    loose = outside.doors(may_loopback=True)
    assert post(receiver.url, b"{}", {"X": "y"}, loose) == 200
    assert receiver.next().body == b"{}"
    with pytest.raises(Refused):
        post(receiver.url, b"{}", {}, outside.doors(may_loopback=False))
    for url in ("http://10.0.0.1/", "http://93.184.216.34/", "https://169.254.169.254/"):
        with pytest.raises(Refused):
            post(url, b"", {}, loose)


# ---- a name that changes its mind


class Rebinding:
    """A name server that says a public address first and loopback ever after."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return [PUBLIC if self.asked == 1 else "127.0.0.1"]


Post = Callable[[str, bytes, dict[str, str], Doors], int]


def reached_inside(post_: Post, receiver: Receiver) -> list[str]:
    """Return what is wrong with a way to post: the private addresses that a rebound name led to."""
    reached: list[str] = []
    names = Rebinding()

    def connect(host: str, port: int, timeout_s: float) -> socket.socket:
        # As the system does: a name is looked up, an address is taken as it is.
        try:
            address = str(ipaddress.ip_address(host))
        except ValueError:
            address = names(host, port)[0]
        if address == PUBLIC:
            raise ConnectionRefusedError
        reached.append(address)
        return socket.create_connection((address, receiver.port), timeout=timeout_s)

    through = Doors(names, connect, ssl._create_unverified_context, may_loopback=False)
    with pytest.raises(NoAnswer):
        post_("https://rebinding.example/", b"", {}, through)
    if names.asked != 1:
        reached.append(f"{names.asked} look-ups")
    return reached


def connects_by_name(url: str, body: bytes, headers: dict[str, str], through: Doors) -> int:
    """The planted bug: the address is checked, then the name is handed to the system again."""
    target = target_of(url, may_loopback=False)
    outside.checked_address(target, through)
    try:
        with through.connect(target.host, target.port, 5) as line:
            line.settimeout(5)
            with through.context().wrap_socket(line, server_hostname=target.host):
                return 200
    except OSError as error:
        raise NoAnswer(str(error)) from error


def test_a_name_is_looked_up_once(receiver: Receiver) -> None:
    """A name that turns to loopback between the check and the connection leads nowhere."""
    assert reached_inside(post, receiver) == []


def test_connecting_by_name_again_is_caught(receiver: Receiver) -> None:
    """The planted bug reaches loopback, and the harness says so."""
    assert reached_inside(connects_by_name, receiver) == ["127.0.0.1", "2 look-ups"]


# ---- answers


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    """Its status is the answer, whatever place it names."""
    receiver.answers = [(302, {"Location": f"{receiver.url}/inside"})]
    assert post(receiver.url, b"", {}, outside.doors(may_loopback=True)) == 302
    assert [came.path for came in receiver.all()] == ["/hook"]


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection on loopback by a function; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            line, _ = listener.accept()
            with line:
                answer(line)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n", b"HTTP/2 200\r\n", b"HTTP/1.1 999 x\r\n", b"HTTP/1.1 2000 x\r\n"],
)
def test_what_is_no_answer(answer: bytes) -> None:
    """Silence and nonsense are told apart from a status."""

    def say(line: socket.socket) -> None:
        line.recv(1000)
        line.sendall(answer)

    with answering(say) as url, pytest.raises(NoAnswer):
        post(url, b"", {}, outside.doors(may_loopback=True))


def test_an_endless_answer_is_cut_off() -> None:
    """After STATUS_LINE_MAX bytes without an end of line nothing more is read."""

    def pour(line: socket.socket) -> None:
        line.recv(1000)
        try:
            while True:
                line.sendall(b"x" * 1000)
        except OSError:
            return

    with answering(pour) as url, pytest.raises(NoAnswer):
        post(url, b"", {}, outside.doors(may_loopback=True))


def test_a_receiver_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit is one of the whole exchange, not of each byte."""
    monkeypatch.setattr(outside, "TIMEOUT_S", 0.2)
    stop = threading.Event()

    def drip(line: socket.socket) -> None:
        line.recv(1000)
        try:
            while not stop.wait(0.05):
                line.sendall(b"H")
        except OSError:
            return

    with answering(drip) as url:
        with pytest.raises(NoAnswer):
            post(url, b"", {}, outside.doors(may_loopback=True))
        stop.set()


# ---- TLS


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a certificate of a name, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    own, private = folder / "own.pem", folder / "private.pem"
    own.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return own, private


@pytest.mark.parametrize("host, is_right", [("hooks.example", True), ("other.example", False)])
def test_the_certificate_must_be_of_the_name(tmp_path: Path, host: str, is_right: bool) -> None:
    """The connection goes to the checked address; the certificate is asked for the name."""
    own, private = certificate(tmp_path, "hooks.example")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(own, private)
    trusting = ssl.create_default_context(cafile=str(own))

    def serve(line: socket.socket) -> None:
        try:
            with server.wrap_socket(line, server_side=True) as sealed:
                sealed.recv(1000)
                sealed.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        except OSError:
            return

    with answering(serve) as url:
        port = int(url.rsplit(":", 1)[1].strip("/"))

        def connect(address: str, _port: int, timeout_s: float) -> socket.socket:
            assert address == PUBLIC
            return socket.create_connection(("127.0.0.1", port), timeout=timeout_s)

        through = Doors(lambda *_: [PUBLIC], connect, lambda: trusting, may_loopback=False)
        if is_right:
            assert post(f"https://{host}/", b"", {}, through) == 204
        else:
            with pytest.raises(NoAnswer, match="certificate"):
                post(f"https://{host}/", b"", {}, through)
