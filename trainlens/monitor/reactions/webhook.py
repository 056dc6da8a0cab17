"""``--webhook``: changes posted to an address, as JSON or as Slack takes them."""

from __future__ import annotations

import base64
import email.utils
import json
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from trainlens import words
from trainlens.errors import UsageError
from trainlens.monitor.reactions import chat
from trainlens.monitor.reactions.limits import Message
from trainlens.monitor.reactions.told import document, heading, summary
from trainlens.remote.calls import reason

if TYPE_CHECKING:
    from urllib.error import HTTPError
    from urllib.request import Request

SCHEMA = "trainlens.findings/1"
_RETRIES = 3
_LONGEST_WAIT = 600.0
_SLACK = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})


class Webhook:
    """Posts each message; tries again where the address may take it a little later.

    Redirects are not followed: what is posted stays with the host that the user named. Notices
    name the host alone, since the path of such an address is often its password.

    Parameters
    ----------
    url : str
        http or https; a user and password in it are sent as basic authentication.
    form : str
        ``json``, ``slack`` or ``auto``.
    timeout : float
        Seconds to wait for the address.
    sleep : callable
        Called with the seconds to wait before another try.
    now : callable
        Unix seconds, for a ``Retry-After`` that names a moment.

    Raises
    ------
    UsageError
        An address that cannot be posted to.
    """

    name = "webhook"

    def __init__(
        self,
        url: str,
        form: str = "auto",
        *,
        timeout: float = 10.0,
        sleep: Callable[[float], object] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url, self._host, self._headers = _address(url)
        parts = urlsplit(self._url)
        chats = parts.hostname in _SLACK or parts.path.rstrip("/").endswith("/slack")
        self._slack = form == "slack" or (form == "auto" and chats)
        self._timeout = timeout
        self._sleep = sleep
        self._now = now
        self.insecure = (
            f"{self.name}: {self._host} is addressed by http, so that findings travel readable "
            "by others; prefer https"
            if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost")
            else ""
        )

    def send(self, message: Message) -> str:
        """Post a message; what went wrong."""
        body = chat.body(message) if self._slack else _body(message)
        data = json.dumps(body, allow_nan=False).encode("ascii")
        problem, wait = "", 0.0
        for k in range(_RETRIES + 1):
            if k:
                self._sleep(max(wait, 2.0 ** (k - 1)))
            problem, again, wait = self._post(data)
            if not again:
                break
        if not problem:
            return ""
        return f"{self._host} {problem}; {words.plural(len(message.told), 'finding')} not passed on"

    def cancel(self) -> float:
        """Nothing to wait for: the thread that asks a host ends with the command."""
        return 0.0

    def _post(self, data: bytes) -> tuple[str, bool, float]:
        """What went wrong, whether to try again, and the seconds that the host asks for."""
        import http.client
        from urllib.error import HTTPError
        from urllib.request import Request

        request = Request(self._url, data, self._headers, method="POST")
        try:
            with _opener().open(request, timeout=self._timeout):
                return "", False, 0.0
        except HTTPError as error:
            with error:
                return self._refused(error)
        except TimeoutError:
            return f"did not answer within {self._timeout:g} s", True, 0.0
        except http.client.HTTPException:
            return "did not answer in HTTP", True, 0.0
        except OSError as error:
            cause = getattr(error, "reason", error)
            if isinstance(cause, TimeoutError):
                return f"did not answer within {self._timeout:g} s", True, 0.0
            told = reason(cause) if isinstance(cause, OSError) else type(error).__name__
            return f"cannot be reached: {told}", True, 0.0

    def _refused(self, error: HTTPError) -> tuple[str, bool, float]:
        code = error.code
        if 300 <= code < 400:
            return "redirects to another address, which is not followed; name that one", False, 0.0
        phrase = HTTPStatus(code).phrase if code in {s.value for s in HTTPStatus} else ""
        told = f"answered {code} {phrase}".rstrip()
        again = code == HTTPStatus.TOO_MANY_REQUESTS or code >= 500
        wait = self._asked(error.headers.get("Retry-After", "")) if again else 0.0
        if wait > _LONGEST_WAIT:
            return f"{told} and asked to wait for {words.duration(wait)}", False, 0.0
        return told, again, wait

    def _asked(self, header: str) -> float:
        """Seconds that a ``Retry-After`` asks for, 0 where it cannot be read."""
        text = header.strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        try:
            moment = email.utils.parsedate_to_datetime(text)
            return max(0.0, moment.timestamp() - self._now())
        except (ValueError, TypeError, IndexError, OverflowError, OSError):
            return 0.0


def _body(message: Message) -> dict[str, Any]:
    told = message.told
    return {
        "schema": SCHEMA,
        "text": heading(told[0].change) if len(told) == 1 else summary(told),
        "findings": [document(one) for one in told],
        "held_back": message.held,
    }


def _address(url: str) -> tuple[str, str, dict[str, str]]:
    """The URL without user and password, what to call it, and the headers."""
    headers = {"Content-Type": "application/json", "User-Agent": "trainlens"}
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
        host = parts.hostname or ""
    except ValueError:
        raise UsageError("--webhook: this is no URL; it looks like https://host/path") from None
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError("--webhook takes a URL that begins with https:// (or http://) and a host")
    if not url.isascii() or any(letter <= " " or letter == "\x7f" for letter in url):
        raise UsageError("--webhook: letters beyond ASCII and spaces must be percent-encoded")
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(secret).decode("ascii")
    place = (f"[{host}]" if ":" in host else host) + port
    return urlunsplit((parts.scheme, place, parts.path or "/", parts.query, "")), host, headers


def _opener() -> Any:
    from urllib.request import HTTPRedirectHandler, build_opener

    class Stay(HTTPRedirectHandler):
        """Follows no redirect."""

        def redirect_request(self, *args: Any, **kwargs: Any) -> Request | None:
            return None

    return build_opener(Stay())
