"""Requests through a Gateway."""

import http.client
import socket
import threading
import time

from scenario.checks import need


def get(address, host, path="/", port=80, context=None, timeout=5):
    """Status, Location and body of one request on a connection of its own."""
    raw = socket.create_connection((address, port), timeout=timeout)
    try:
        if context:
            raw = context.wrap_socket(raw, server_hostname=host)
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(raw, method="GET")
        answer.begin()
        return answer.status, answer.getheader("Location"), answer.read().decode()
    finally:
        raw.close()


class Traffic:
    """Requests that go on until the end; each has to be answered as it should."""

    def __init__(self, address, host, right=lambda answer: answer[0] == 200, threads=4, rate=50):
        self.sent, self.failures, self.running = 0, [], True
        self.lock = threading.Lock()

        def work():
            following = time.monotonic()
            while self.running:
                try:
                    answer = get(address, host)
                    wrong = None if right(answer) else answer
                except (OSError, http.client.HTTPException) as error:
                    wrong = repr(error)
                with self.lock:
                    self.sent += 1
                    if wrong is not None:
                        self.failures.append((time.strftime("%T"), wrong))
                following += 1 / rate
                time.sleep(max(0.0, following - time.monotonic()))

        self.threads = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.running = False
        for thread in self.threads:
            thread.join()
        need(self.sent > 0, "no request was sent")
        need(not self.failures, f"{len(self.failures)} of {self.sent} requests failed, first {self.failures[:3]}")
        return self.sent


def answers(address, host, text):
    return lambda: get(address, host)[::2] == (200, text)
