"""The child's half of a local worker: takes items from its parent and answers, one by one."""

import os
import pickle
import signal
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from neurotrace.runner.outcome import Outcome, attempt, failed, sealed

READY = b"ready"
END = b""
ORPHAN = 1  # exit code of a worker whose parent is gone


def serve(descriptor: int) -> None:
    """Answer until the parent says so, or is gone: then even in the middle of an item.

    The first message is the function, every further one an item.
    """
    # Control-C reaches the whole terminal; the parent decides what becomes of its children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(descriptor)
    inbox: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, inbox), daemon=True).start()
    connection.send_bytes(READY)
    function = inbox.get()
    while function and (packed := inbox.get()):
        connection.send_bytes(_answer(function, packed))


def _listen(connection: Connection, inbox: SimpleQueue[bytes]) -> None:
    """Reads beside the work, so that the parent's end is noticed at once."""
    while True:
        try:
            message = connection.recv_bytes()
        except (EOFError, OSError):
            os._exit(ORPHAN)
        inbox.put(message)
        if message == END:
            return


_functions: dict[bytes, Any] = {}


def _answer(function: bytes, packed: bytes) -> bytes:
    try:
        if function not in _functions:
            _functions[function] = pickle.loads(function)
        item = pickle.loads(packed)
    except Exception as error:
        return sealed(failed(error))
    return sealed(_ended(function, item))


def _ended(function: bytes, item: Any) -> Outcome:
    try:
        return attempt(_functions[function], item)
    except SystemExit as error:  # what would end a serial run ends this one, too
        error.add_note(f"while working on {item}")
        return failed(error)
