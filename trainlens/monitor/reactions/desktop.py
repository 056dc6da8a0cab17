"""``--notify``: a note on the desktop, by the means that the system has."""

from __future__ import annotations

import html
import os
import shutil
import sys
import threading
from collections.abc import Mapping

from trainlens import words
from trainlens.monitor.reactions import process
from trainlens.monitor.reactions.command import problem
from trainlens.monitor.reactions.limits import Message
from trainlens.monitor.reactions.told import heading, held_back, line, summary
from trainlens.rules.base import Severity

_TIMEOUT = 10.0
_LINES = 4

# Both texts are arguments or variables of these scripts, never part of them.
_APPLE = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)
_TOAST = """
[void][Windows.UI.Notifications.ToastNotificationManager,Windows.UI.Notifications,ContentType=WindowsRuntime]
$kind = [Windows.UI.Notifications.ToastTemplateType]::ToastText02
$toast = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent($kind)
$texts = $toast.GetElementsByTagName('text')
[void]$texts.Item(0).AppendChild($toast.CreateTextNode($env:TRAINLENS_TITLE))
[void]$texts.Item(1).AppendChild($toast.CreateTextNode($env:TRAINLENS_BODY))
$app = '{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe'
$note = [Windows.UI.Notifications.ToastNotification]::new($toast)
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($app).Show($note)
"""


class Desktop:
    """Shows a note for each message.

    Parameters
    ----------
    environ : mapping of str to str
    platform : str
        As `sys.platform`.

    Attributes
    ----------
    missing : str
        Why no note can be shown, as one line; empty where it can.
    """

    name = "desktop note"

    def __init__(self, environ: Mapping[str, str], platform: str = sys.platform) -> None:
        self._environ = environ
        self._platform = platform
        tool = {"darwin": "osascript", "win32": "powershell"}.get(platform, "notify-send")
        self._tool = shutil.which(tool, path=environ.get("PATH")) or ""
        self.missing = "" if self._tool else f"{self.name}: {tool} is not installed, none is shown"
        screen = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
        if self._tool and tool == "notify-send" and not screen:
            self.missing = f"{self.name}: there is no display here, none is shown"
        self._cancelled = threading.Event()

    def send(self, message: Message) -> str:
        """Show a note; what went wrong."""
        title, body = map(_utf8, texts(message))
        grave = any(one.rank == Severity.ERROR.rank for one in message.told)
        shown = {"TRAINLENS_TITLE": title, "TRAINLENS_BODY": body}
        try:
            outcome = process.run(
                self._arguments(title, body, grave),
                given=b"",
                environ={**self._environ, **shown},
                timeout=_TIMEOUT,
                cancelled=self._cancelled,
            )
        except OSError as error:
            return f"cannot be shown: {error.strerror or type(error).__name__}"
        return problem(outcome, _TIMEOUT)

    def cancel(self) -> float:
        """End what runs; the seconds that this takes at most."""
        self._cancelled.set()
        return process.LONGEST_END

    def _arguments(self, title: str, body: str, grave: bool) -> list[str]:
        if self._platform == "darwin":
            script = [part for text in _APPLE for part in ("-e", text)]
            return [self._tool, *script, title, body]
        if self._platform == "win32":
            return [self._tool, "-NoProfile", "-NonInteractive", "-Command", _TOAST]
        urgency = "critical" if grave else "normal"
        # Most desktops take the body for markup.
        body = html.escape(body, quote=False)
        return [self._tool, "--app-name=trainlens", f"--urgency={urgency}", "--", title, body]


def _utf8(text: str) -> str:
    """A text that goes to another program as UTF-8, whatever the locale."""
    return os.fsdecode(text.encode("utf-8", "replace"))


def texts(message: Message) -> tuple[str, str]:
    """Title and body of a note; neither begins with a hyphen."""
    told = message.told
    if len(told) == 1:
        change = told[0].change
        run = line(f"Run {change.run}", 60)
        body = [f"{run}: {line(change.finding.message)}"]
        title = heading(change)
    else:
        title = f"trainlens: {summary(told)}"
        body = [f"{heading(o.change)} (run {line(o.change.run, 40)})" for o in told[:_LINES]]
        if len(told) > _LINES:
            body.append(f"and {words.plural(len(told) - _LINES, 'more finding')}")
    if message.held:
        body.append(held_back(message.held))
    return title, "\n".join(body)
