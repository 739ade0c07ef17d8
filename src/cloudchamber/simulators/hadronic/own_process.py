"""Generators that must live in a process of their own, and the messages that go to and fro.

Such a program can exist once a process, prints what it likes, writes where it stands, keeps what it was asked before,
and ends the process when it fails. So it gets a process, a directory for its scratch files and silence: what it prints
is kept to tell why it failed.

Messages: eight bytes of length, then an ``.npz``. The process says hello first, then answers one message with one; an
answer with ``error`` is a refusal in one line. It ends when its input does, also when its owner was killed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import BadInput

Message = dict[str, NDArray[Any]]


def send(stream: IO[bytes], message: Message) -> None:
    """One message."""
    buffer = io.BytesIO()
    np.savez(buffer, **message)  # type: ignore[arg-type]
    content = buffer.getvalue()
    stream.write(struct.pack("<q", len(content)) + content)
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """The next message; None at the end of the stream."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    content = stream.read(struct.unpack("<q", head)[0])
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def serve(start: Callable[[], tuple[Message, Callable[[Message], Message]]]) -> None:
    """What the process runs: ``start`` gives the hello and the function that answers; BadInput is sent as ``error``."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the program prints goes to standard error
    hello, answer = start()
    send(answers, hello)
    while (question := receive(sys.stdin.buffer)) is not None:
        try:
            found = answer(question)
        except BadInput as error:
            found = {"error": np.array(str(error))}
        send(answers, found)


class OwnProcess:
    """A running program; ``close`` it, or let this process end.

    Args:
        title: of the program, for messages.
        package: that it needs.
        extra: of ours that installs the package.
        module: of this package, with ``serve`` in its main.
        variables: further environment variables.

    Attributes:
        hello: what it said when it was ready.

    Raises:
        BadInput: the package is not installed, or the program does not start.
    """

    def __init__(self, title: str, package: str, extra: str, module: str, variables: Mapping[str, str]) -> None:
        self.title, self.install = title, f"pip install 'cloudchamber[{extra}]'"
        if importlib.util.find_spec(package) is None:
            raise BadInput(f"{title} is not installed: {self.install}")
        self._scratch = tempfile.TemporaryDirectory(prefix="cloudchamber-")
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"cloudchamber.simulators.hadronic.{module}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, cwd=self._scratch.name,
            env={**os.environ, **variables},
        )  # fmt: skip
        self.hello = self._answer("start")

    def ask(self, message: Message) -> Message:
        """The answer to a message.

        Raises:
            BadInput: the program refuses, or has ended.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the answer says why
            send(self._process.stdin, message)
        return self._answer("make events")

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._process.wait(timeout=10)
        self._said.close()
        self._scratch.cleanup()

    def _answer(self, task: str) -> Message:
        assert self._process.stdout is not None
        found = receive(self._process.stdout)
        if found is None:
            self._said.seek(0)
            lines = [line for line in self._said.read().decode(errors="replace").splitlines() if line.strip(" -*")]
            self.close()
            told = next((line for line in reversed(lines) if "rror" in line or "xception" in line), "no message")
            raise BadInput(f"{self.title} could not {task} ({told.strip()[:200]}): reinstall it with {self.install}")
        if "error" in found:
            raise BadInput(f"{self.title}: {found['error']}")
        return found
