"""`braid serve` as a process, for tests and scripts that talk to it."""

import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import tempfile

PATIENCE = 60  # seconds; a loaded machine and sanitizers are slow


def environment(**more):
    """Of no user: no configuration file, no variables of Braid; options of the sanitizers stay."""
    kept = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
    return {"HOME": "/nonexistent", "PATH": os.environ["PATH"], **kept, **more}


class Failure(Exception):
    pass


class Server:
    """On a free port unless the options name a place. What it says on stderr goes to a file."""

    def __init__(self, braid, *options, before=(), errors=None, wait=True, patience=PATIENCE, cafile=None, **variables):
        self.patience, self.cafile = patience, cafile
        self.errors = tempfile.NamedTemporaryFile(mode="r", suffix=".log")
        placed = "--host" in options or "--port" in options
        with open(self.errors.name, "w") as file:
            self.process = subprocess.Popen(
                [*before, str(braid), "serve", *(() if placed else ("--port", "0")), *options], stdout=subprocess.PIPE,
                stderr=file if errors is None else errors, env=environment(**variables), text=True)
        self.ready = self.process.stdout.readline() if wait else ""
        found = re.search(r" is served at (\S+)$", self.ready)
        if wait and not found:
            self.kill()
            raise Failure(f"the server did not start: {self.ready}{self.log()}")
        self.address = found.group(1) if found else ""
        port = re.search(r":(\d+)$", self.address)
        self.port = int(port.group(1)) if port else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.errors.close()

    def log(self):
        with open(self.errors.name, errors="replace") as file:
            return file.read()

    def connection(self):
        scheme, place = self.address.split("://")
        host, port = place.rsplit(":", 1)
        if scheme == "http":
            return http.client.HTTPConnection(host, int(port), timeout=self.patience)
        context = ssl.create_default_context(cafile=self.cafile)
        return http.client.HTTPSConnection(host, int(port), timeout=self.patience, context=context)

    def ask(self, method, path, body=None, headers=None):
        """Status, text and headers of the answer. A body that is no text goes as JSON."""
        if body is not None and not isinstance(body, (str, bytes)):
            body, headers = json.dumps(body), {"Content-Type": "application/json", **(headers or {})}
        connection = self.connection()
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()

    def gauge(self, name):
        return int(re.search(rf"\n{name} (\d+)\n", self.ask("GET", "/metrics")[1]).group(1))

    def end(self, number=signal.SIGTERM):
        """The exit code, and what it still said on stdout."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        if self.process.stdout.closed:  # it has ended before
            return self.process.wait(self.patience), ""
        out, _ = self.process.communicate(timeout=self.patience)
        return self.process.returncode, out

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        if not self.process.stdout.closed:
            self.process.communicate()
