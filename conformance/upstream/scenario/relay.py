"""TCP proxies before the API server."""

import socket
import threading
import time


class Cutter:
    """A TCP proxy before the API server that cuts all connections every second."""

    def __init__(self, target):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open, self.lock, self.running, self.cuts = set(), threading.Lock(), True, 0
        self.target = target
        threading.Thread(target=self.accept, daemon=True).start()
        threading.Thread(target=self.cut, daemon=True).start()

    def accept(self):
        while self.running:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
            except OSError:
                continue
            with self.lock:
                self.open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def pump(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        while self.running:
            time.sleep(1)
            with self.lock:
                for one in self.open:
                    try:
                        one.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
                    one.close()
                self.open = set()
                self.cuts += 1


class Relay(Cutter):
    """Passes connections on."""

    def __init__(self, listener, target):
        self.listener, self.target = listener, target
        self.open, self.lock, self.running, self.cuts = set(), threading.Lock(), True, 0
        threading.Thread(target=self.accept, daemon=True).start()
