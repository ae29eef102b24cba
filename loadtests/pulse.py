"""What the load generator observes of itself: silences, CPU use, its own loopback round trip."""

from __future__ import annotations

import time

import gevent
from gevent import socket
from gevent.server import StreamServer


BEAT_S = 0.1
WINDOW_S = 1.0


def _echo(connection: socket.socket, _address: object) -> None:
    while data := connection.recv(1):
        connection.sendall(data)


class Pulse:
    """Beats ten times a second from `start` to `stop`. Seconds, and shares of one core.

    `gap` is the longest silence between two beats, `busiest` the highest share of CPU time in a window of one
    second, `echo` the round trips of one byte through this process, one per window.
    """

    def __init__(self) -> None:
        """Begin with nothing observed."""
        self.gap, self.busiest, self.echo = 0.0, 0.0, list[float]()
        self.server = StreamServer(("127.0.0.1", 0), _echo)
        self.task: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to beat."""
        self.server.start()
        self.task = gevent.spawn(self._beat)

    def stop(self) -> None:
        """End; the numbers stay."""
        if self.task is not None:
            self.task.kill()
        self.server.stop()

    def _beat(self) -> None:
        loopback = socket.create_connection(("127.0.0.1", self.server.server_port))
        loopback.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        last = opened = time.monotonic()
        used = time.process_time()
        while True:
            gevent.sleep(BEAT_S)
            now = time.monotonic()
            self.gap, last = max(self.gap, now - last), now
            if now - opened >= WINDOW_S:
                self.busiest = max(self.busiest, (time.process_time() - used) / (now - opened))
                opened, used = now, time.process_time()
                self.echo.append(self._round_trip(loopback))
                last = time.monotonic()

    def _round_trip(self, loopback: socket.socket) -> float:
        begin = time.monotonic()
        loopback.sendall(b".")
        loopback.recv(1)
        return time.monotonic() - begin
