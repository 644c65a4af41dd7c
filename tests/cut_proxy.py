"""A network between browser and server that can be cut, on this machine."""

import contextlib
import socket
import threading
from typing import Literal

State = Literal["open", "cut", "deaf"]


class CutProxy:
    """Passes bytes between whoever connects to it and one port.

    `cut` closes every connection and takes no new one; `deaf` passes on what is asked and loses what is answered.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._state: State = "open"
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def become(self, state: State) -> None:
        """From now on; whatever is under way breaks off when it is cut or whole again."""
        self._state = state
        if state != "deaf":
            self._close_all()

    def stop(self) -> None:
        """For good."""
        self._state = "cut"
        self._server.close()
        self._close_all()

    def _accept(self) -> None:
        while True:
            try:
                asker, _ = self._server.accept()
            except OSError:
                return
            if self._state == "cut":
                asker.close()
                continue
            try:
                answerer = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                asker.close()
                continue
            with self._lock:
                self._sockets |= {asker, answerer}
            threading.Thread(target=self._pass, args=(asker, answerer, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(answerer, asker, True), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                if not (is_answer and self._state == "deaf"):
                    sink.sendall(piece)
        self._close({source, sink})

    def _close_all(self) -> None:
        with self._lock:
            sockets = set(self._sockets)
        self._close(sockets)

    def _close(self, sockets: set[socket.socket]) -> None:
        with self._lock:
            self._sockets -= sockets
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
