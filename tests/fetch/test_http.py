"""Bad weather between client and server, and who may see a credential."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import faults as bad
from badserver import BadServer, Reply, Request
from fetching import collect, fetch, frames_of, got, joined, run
from volstream.errors import HttpStatusError, ProtocolError, SourceError, UnreachableError, UsageError
from volstream.fetch.options import FetchOptions
from volstream.fetch.source import open_source

# ------------------------------------------------------------------------------- faults that pass


@pytest.mark.parametrize("path", ["/frames/", "/metadata"])
@pytest.mark.parametrize(
    "fault",
    [
        bad.status(408, Retry_After="0"),
        bad.status(425, Retry_After="0"),
        bad.status(429, Retry_After="0"),
        bad.status(502, Retry_After="0"),
        bad.status(503, Retry_After="Thu, 01 Jan 1970 00:00:00 GMT"),
        bad.status(504, Retry_After="soon"),
        bad.changed(cut=0),
        bad.changed(cut=1),
        bad.changed(cut=100, framing="chunked"),
        bad.changed(cut=1000, end="rst"),
        bad.changed(extra_length=1),
    ],
)
def test_a_fault_that_passes(fault: bad.Fault, path: str, files: list[bytes]) -> None:
    results, _ = fetch(files, lambda s: s.misbehave(fault, path=path, times=2))
    assert got(results) == frames_of(files)


@pytest.mark.parametrize("at", [0, 30, 80, 200, 1000, -1, -3, -7])
def test_a_body_that_ends_early_with_the_connection_is_no_frame(at: int, files: list[bytes]) -> None:
    cut = bad.both(
        bad.changed(framing="close"), lambda request, reply: setattr(reply, "cut", at % len(reply.payload()))
    )
    results, server = fetch(files, lambda s: s.misbehave(cut, times=2), connections=1)
    assert got(results) == frames_of(files)
    # An answer without a length is asked for in another way; and all but the last line end belongs to the frame.
    assert server.count("/frames/") == len(files) + 1 + (at != -1)


def test_connection_refused(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            url = server.series_url
        source = open_source(url, FetchOptions(attempts=2))
        with pytest.raises(UnreachableError, match=r"the connection failed: .* \(2 attempts\)") as caught:
            await source.records()
        assert caught.value.address == url + "/metadata"
        await source.close()

    run(main)


def test_server_gone_in_the_middle(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            source = open_source(server.series_url, FetchOptions(attempts=2))
            records = await source.records()
        results = await collect(source, records)
        assert {type(result) for result in results.values()} == {UnreachableError}
        await source.close()

    run(main)


def test_server_that_is_silent(files: list[bytes]) -> None:
    results, _ = fetch(files, lambda s: s.misbehave(bad.changed(delay=3600)), stall_timeout=0.05, attempts=1)
    assert {str(result).partition(" (")[0] for result in results} == {"the server is silent"}


def test_server_that_stalls_in_the_middle(files: list[bytes]) -> None:
    stall = bad.changed(cut=1000, end="hang")
    results, _ = fetch(files, lambda s: s.misbehave(stall, times=1), stall_timeout=0.05)
    assert got(results) == frames_of(files)


def test_frame_that_never_ends(files: list[bytes]) -> None:
    drip = bad.changed(drip=0.01, chunk=1)
    results, _ = fetch(files, lambda s: s.misbehave(drip), deadline=0.2)
    assert {type(result) for result in results} == {UnreachableError}
    assert "no complete answer within 0.2 s" in str(results[0])


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 410, 413, 414, 501, 505])
def test_refusals_are_final(code: int, files: list[bytes]) -> None:
    with pytest.raises(HttpStatusError) as caught:
        fetch(files, lambda s: s.misbehave(bad.status(code, "no"), path="."))
    assert caught.value.status == code
    assert caught.value.message.endswith(": no")


def test_a_failing_server_is_asked_so_often(files: list[bytes]) -> None:
    results, server = fetch(files, lambda s: s.misbehave(bad.status(503, Retry_After="0")), attempts=3)
    assert {type(result) for result in results} == {HttpStatusError}
    assert server.count("/frames/") == 3 * len(files)


@pytest.mark.parametrize(
    "headers",
    [{"Content-Encoding": "br"}, {"Content-Encoding": "deflate"}],
)
def test_coding_that_was_not_asked_for(headers: dict[str, str], files: list[bytes]) -> None:
    results, _ = fetch(files, lambda s: s.misbehave(bad.changed(headers=headers)))
    assert {type(result) for result in results} == {ProtocolError}


def test_length_and_chunks_contradict(files: list[bytes]) -> None:
    both = bad.changed(framing="chunked", headers={"Content-Length": "10"})
    results, _ = fetch(files, lambda s: s.misbehave(both, times=1))
    assert got(results) == frames_of(files)


# ------------------------------------------------------------------------------- redirects and credentials

SECRETS = ("s3cret-token", "s3cret-key", "s3cret-cookie", "s3cret-user", "s3cret-query")


async def _leak_test(files: list[bytes], options: dict[str, Any], code: int) -> tuple[BadServer, BadServer]:
    """Load from a server that sends every frame request on to another one."""
    async with BadServer(files) as home, BadServer(files) as away:

        def send_away(request: Request, reply: Reply) -> None:
            bad.redirect(f"{away.origin}{request.path}", code)(request, reply)

        home.misbehave(send_away)
        url = home.series_url.replace("://", "://s3cret-user:pw@") + "?key=s3cret-query"
        source = open_source(url, FetchOptions(**options))
        results = await collect(source)
        assert sorted(joined(r.data) for r in results.values()) == sorted(f for f, _ in frames_of(files))  # type: ignore[union-attr, arg-type]
        assert not any(secret in repr((source.address, options)) for secret in ("s3cret-user", "s3cret-query"))
        await source.close()
        return home, away


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_credential_follows_a_redirect_to_another_origin(code: int, files: list[bytes]) -> None:
    async def main() -> None:
        headers = {"X-API-Key": "s3cret-key"}
        async with aiohttp.ClientSession(headers=headers, cookies={"id": "s3cret-cookie"}) as session:
            options = {"session": session, "headers": headers, "auth": lambda refresh: "s3cret-token"}
            home, away = await _leak_test(files, options, code)
            assert not session.closed
        seen = repr([(r.target, r.headers) for r in home.requests if "/frames/" in r.target])
        assert all(secret in seen for secret in SECRETS if secret not in ("s3cret-cookie", "s3cret-user"))
        assert away.count("/frames/") == len(files)
        assert not any(secret in repr(away.requests) for secret in SECRETS)

    run(main)


def test_redirect_within_the_origin_keeps_the_credential(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as server:

            def send_on(request: Request, reply: Reply) -> None:
                if "moved" not in request.target:
                    bad.redirect(f"{request.path}?moved")(request, reply)

            server.misbehave(bad.needs("Authorization", "Bearer token"), path=".")
            server.misbehave(send_on)
            source = open_source(server.series_url, FetchOptions(auth=lambda refresh: "token"))
            assert len(await collect(source)) == len(files)
            assert server.count("moved") == len(files)
            await source.close()

    run(main)


@pytest.mark.parametrize(
    ("target", "text"),
    [("/frames/again", "more than 3"), ("file:///etc/passwd", "file is refused"), ("ftp://host/", "ftp is refused")],
)
def test_redirects_that_are_refused(target: str, text: str, files: list[bytes]) -> None:
    results, _ = fetch(files, lambda s: s.misbehave(bad.redirect(target)))
    assert {type(result) for result in results} == {ProtocolError}
    assert text in str(results[0])


def test_user_in_the_url_becomes_basic_authorization(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            server.misbehave(bad.needs("Authorization", "Basic bWU6cCBAdw=="), path=".")
            source = open_source(server.series_url.replace("://", "://me:p%20%40w@"))
            assert "me" not in source.address.partition("/dicom-web")[0]
            assert len(await collect(source)) == len(files)
            await source.close()

    run(main)


def test_expired_token_is_renewed_once_for_all(files: list[bytes]) -> None:
    calls: list[bool] = []

    async def auth(refresh: bool) -> dict[str, str]:
        calls.append(refresh)
        await asyncio.sleep(0.01)
        return {"Authorization": f"Bearer {len(calls)}"}

    def misbehave(server: BadServer) -> None:
        server.misbehave(bad.needs("Authorization", "Bearer 1", "Bearer 2"), path="/metadata")
        server.misbehave(bad.needs("Authorization", "Bearer 2"))

    results, _ = fetch(files, misbehave, auth=auth)
    assert got(results) == frames_of(files)
    assert calls == [False, True]


def test_token_that_stays_refused(files: list[bytes]) -> None:
    calls: list[bool] = []
    with pytest.raises(HttpStatusError, match="who are you") as caught:
        fetch(
            files,
            lambda s: s.misbehave(bad.needs("Authorization", "never"), path="."),
            auth=lambda refresh: calls.append(refresh) or "token",
        )
    assert caught.value.status == 401
    assert calls == [False, True]


def test_auth_that_returns_nonsense(files: list[bytes]) -> None:
    with pytest.raises(UsageError, match="auth returned int"):
        fetch(files, auth=lambda refresh: 3)


def test_no_secret_in_an_error(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            server.misbehave(bad.status(404, "nothing"))
            server.misbehave(bad.changed(cut=3), path="/frames/")
            url = server.series_url.replace("://", "://s3cret-user:pw@") + "?key=s3cret-query"
            options = FetchOptions(auth=lambda refresh: "s3cret-token", headers={"X": "s3cret-key"}, attempts=1)
            source = open_source(url, options)
            for error in (await collect(source)).values():
                chain: BaseException | None = error  # type: ignore[assignment]
                while chain is not None:
                    assert not any(secret in f"{chain} {chain!r}" for secret in SECRETS)
                    chain = chain.__cause__
            assert not any(secret in repr(options) for secret in SECRETS)
            await source.close()

    run(main)


def test_cookies_are_not_kept(files: list[bytes]) -> None:
    _, server = fetch(files, lambda s: s.misbehave(bad.changed(headers={"Set-Cookie": "a=b"}), path="/metadata"))
    assert not any("cookie" in request.headers for request in server.requests)


def test_connections_are_used_again_and_limited(files: list[bytes]) -> None:
    _, server = fetch(files * 1, connections=2)
    assert server.connections <= 2 + 1  # that of the metadata is not used for frames


@pytest.mark.parametrize(
    "options", [{"retrieve": "all"}, {"connections": 0}, {"attempts": 0}, {"deadline": 0}, {"stall_timeout": -1}]
)
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        FetchOptions(**options)


# ------------------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate to test with")
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command += f" -addext subjectAltName=IP:127.0.0.1 -keyout {file} -out {file}.crt"
    subprocess.run(command.split(), check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


def _tls(files: list[bytes], certificate: Path, **options: Any) -> int:
    async def main() -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        async with BadServer(files, context) as server:
            source = open_source(server.series_url, FetchOptions(**options))
            try:
                return len(await collect(source))
            finally:
                await source.close()
                await asyncio.sleep(0.01)

    return run(main)


def test_self_signed_certificate_is_refused_and_not_retried(files: list[bytes], certificate: Path) -> None:
    with pytest.raises(SourceError, match="no trusted connection") as caught:
        _tls(files, certificate)
    assert "attempts" not in str(caught.value)


def test_own_authority(files: list[bytes], certificate: Path) -> None:
    assert _tls(files, certificate, ssl=ssl.create_default_context(cafile=str(certificate))) == len(files)


def test_verification_switched_off(files: list[bytes], certificate: Path) -> None:
    assert _tls(files, certificate, ssl=False) == len(files)


# ------------------------------------------------------------------------------- the loop


def test_cancelled_in_the_middle(files: list[bytes]) -> None:
    async def main() -> None:
        async with BadServer(files) as server:
            asked = asyncio.Event()
            server.misbehave(bad.changed(delay=3600))
            server.misbehave(lambda request, reply: asked.set())
            source = open_source(server.series_url)
            task = asyncio.create_task(collect(source))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await source.close()

    run(main)
