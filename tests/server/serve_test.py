#!/usr/bin/env python3
"""Starts `braid serve` on the demo model and talks to it: readiness, keys, TLS, logs, signals.

    serve_test.py BRAID DATA_FOLDER [TEST ...]
"""

import json
import os
import signal
import socket
import ssl
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import serving
from serving import PATIENCE

BRAID = Path(sys.argv[1]).resolve()
DATA = Path(sys.argv[2]).resolve() / "server"


class Server(serving.Server):
    def __init__(self, *options, **more):
        super().__init__(BRAID, "-c", "512", "-t", "1", *options, cafile=DATA / "certificate.pem", **more)


class Serve(unittest.TestCase):
    def test_ready_line_health_and_metrics(self):
        with Server() as server:
            self.assertTrue(server.address.startswith("http://127.0.0.1:"), server.ready)
            self.assertIn("curl " + server.address, server.process.stdout.readline())
            self.assertEqual(server.ask("GET", "/health")[:2], (200, '{"status":"ok"}'))
            status, text, headers = server.ask("GET", "/metrics")
            self.assertEqual(status, 200)
            self.assertTrue(headers["content-type"].startswith("text/plain"))
            self.assertIn("\nbraid_ready 1\n", text)
            self.assertIn('braid_http_answers_total{method="GET",route="/health",status="200"} 1', text)
            status, text, _ = server.ask("GET", "/nothing")
            self.assertEqual((status, json.loads(text)["error"]["type"]), (404, "invalid_request_error"))
            self.assertIn("memory: ", server.log())
            code, rest = server.end()
            self.assertEqual((code, rest), (0, ""))

    def test_keys_from_a_file_and_the_environment(self):
        with tempfile.NamedTemporaryFile("w") as keys:
            keys.write("# ours\nfrom-the-file\n")
            keys.flush()
            with Server("--api-key-file", keys.name, BRAID_API_KEY="from-the-environment") as server:
                self.assertEqual(server.ask("GET", "/health")[0], 200)
                self.assertEqual(server.ask("GET", "/metrics")[0], 401)
                for key in ("from-the-file", "from-the-environment"):
                    self.assertEqual(server.ask("GET", "/metrics", headers={"Authorization": "Bearer " + key})[0], 200)
                self.assertNotIn("from-the", server.log())

    def test_tls(self):
        with Server("--ssl-cert-file", str(DATA / "certificate.pem"), "--ssl-key-file", str(DATA / "key.pem")) as server:
            self.assertTrue(server.address.startswith("https://"), server.ready)
            self.assertEqual(server.ask("GET", "/health")[0], 200)
            host, port = server.address.removeprefix("https://").rsplit(":", 1)
            plain = socket.create_connection((host, int(port)))
            plain.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            plain.settimeout(PATIENCE)
            self.assertNotIn(b"200 OK", plain.recv(100))
            plain.close()
            self.assertEqual(server.ask("GET", "/health")[0], 200)
            self.assertEqual(server.end()[0], 0)

    def test_a_new_certificate_takes_the_place_of_the_old_one(self):
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")

            def put(which):
                certificate.write_bytes((DATA / (which + "certificate.pem")).read_bytes())
                key.write_bytes((DATA / (which + "key.pem")).read_bytes())

            def shown(server):
                host, port = server.address.removeprefix("https://").rsplit(":", 1)
                return ssl.get_server_certificate((host, int(port))).split()

            def soon(check):
                until = time.monotonic() + PATIENCE
                while not check() and time.monotonic() < until:
                    time.sleep(0.02)
                self.assertTrue(check())

            put("")
            old, new = ((DATA / (which + "certificate.pem")).read_text().split() for which in ("", "other_"))
            with Server("--tls-cert", str(certificate), "--tls-key", str(key)) as server:
                self.assertEqual(shown(server), old)
                open_before = server.connection()
                open_before.request("GET", "/health")
                self.assertEqual(open_before.getresponse().read(), b'{"status":"ok"}')
                put("other_")
                self.assertEqual(shown(server), old)
                server.process.send_signal(signal.SIGHUP)
                soon(lambda: shown(server) == new)
                open_before.request("GET", "/health")
                self.assertEqual(open_before.getresponse().read(), b'{"status":"ok"}')
                wrong = (lambda: key.write_bytes((DATA / "key.pem").read_bytes()),
                         lambda: certificate.write_bytes((DATA / "key.pem").read_bytes()), certificate.unlink)
                for n, spoil in enumerate(wrong, 1):
                    spoil()
                    server.process.send_signal(signal.SIGHUP)
                    soon(lambda: server.log().count("the certificate that was there stays") == n)
                    self.assertEqual(shown(server), new)
                open_before.close()
                self.assertEqual(server.end()[0], 0)

    def test_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = folder + "/braid.sock"
            with Server("--host", path) as server:
                self.assertEqual(server.address, "unix:" + path)
                client = socket.socket(socket.AF_UNIX)
                client.connect(path)
                client.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                text = b""
                while part := client.recv(4096):
                    text += part
                client.close()
                self.assertIn(b"200 OK", text)
                self.assertEqual(server.end()[0], 0)
            self.assertFalse(os.path.exists(path))

    def test_logs_have_what_was_asked_but_not_what_was_said(self):
        for form in ("json", "text"):
            with Server("--log-format", form) as server:
                server.ask("POST", "/echo?key=secret", body='{"prompt": "secret"}', headers={"X-Request-Id": "mine-1"})
                server.end()
                line = [text for text in server.log().splitlines() if "mine-1" in text]
                self.assertEqual(len(line), 1, server.log())
                self.assertNotIn("secret", server.log())
                if form == "json":
                    entry = json.loads(line[0])
                    self.assertEqual([entry[name] for name in ("method", "path", "status")], ["POST", "/echo", 404])
                    self.assertGreaterEqual(entry["ms"], 0)
                    self.assertEqual(entry["bytes"], len('{"error":{"message":"There is no /echo.","type":'
                                                         '"invalid_request_error","param":null,"code":"unknown_url"}}'))
        with Server("--quiet") as server:
            server.ask("GET", "/health")
            server.end()
            self.assertEqual(server.log(), "")

    def test_a_port_that_is_taken(self):
        with Server() as first:
            port = first.address.rsplit(":", 1)[1]
            with Server("--port", port, wait=False) as second:
                self.assertEqual(second.process.wait(PATIENCE), 1)
                self.assertIn("127.0.0.1:" + port, second.log())
                self.assertIn("--port", second.log())
            self.assertEqual(first.ask("GET", "/health")[0], 200)

    def test_idle_connections_do_not_hold_up_the_end(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Server() as server:
                idle = [server.connection() for _ in range(20)]
                for connection in idle:
                    connection.request("GET", "/health")
                    self.assertEqual(connection.getresponse().read(), b'{"status":"ok"}')
                silent = socket.create_connection(server.address.removeprefix("http://").rsplit(":", 1))
                start = time.monotonic()
                self.assertEqual(server.end(number)[0], 0)
                self.assertLess(time.monotonic() - start, 10)
                for connection in [*idle, silent]:
                    connection.close()

    def test_a_signal_while_the_model_loads(self):
        for _ in range(10):
            with tempfile.TemporaryDirectory() as folder, Server("--host", folder + "/s", wait=False) as server:
                while not os.path.exists(folder + "/s"):  # it listens before it loads
                    self.assertIsNone(server.process.poll(), "the server ended")
                    time.sleep(0.0005)
                start = time.monotonic()
                self.assertEqual(server.end()[0], 0, server.log())
                self.assertLess(time.monotonic() - start, 5)

    def test_a_reader_of_the_log_that_stalls_costs_lines_only(self):
        reader, writer = os.pipe()
        with Server(errors=writer) as server:
            os.close(writer)
            for _ in range(400):  # 400 kB; a pipe holds 64
                self.assertEqual(server.ask("GET", "/" + "a" * 1000)[0], 404)
            start = time.monotonic()
            self.assertEqual(server.end()[0], 0)
            self.assertLess(time.monotonic() - start, 10)
        os.close(reader)

    def test_web_pages_are_kept_out_where_no_key_is_asked_for(self):
        with Server("--allowed-host", "ours.example") as server:
            for host, status in (("ours.example", 200), ("evil.example", 403)):
                self.assertEqual(server.ask("GET", "/metrics", headers={"Host": host})[0], status)
            status, text, _ = server.ask("POST", "/tokenize", body='{"content": "a"}',
                                         headers={"Origin": "https://evil.example", "Content-Type": "text/plain"})
            self.assertEqual(status, 403)
            self.assertIn("--cors-origin https://evil.example", json.loads(text)["error"]["message"])
            self.assertEqual(server.ask("POST", "/tokenize", body='{"content": "a"}')[0], 200)

    def test_slots_are_saved_and_restored(self):
        prompt = "The miller walked from the harbour to the mill. " * 12
        with tempfile.TemporaryDirectory() as folder:
            def server():
                return Server("--slot-save-path", folder + "/slots", "--api-key", "one", "--api-key", "two")

            def ask(place, path, body, key="one"):
                status, text, _ = place.ask("POST", path, body=json.dumps(body), headers={
                    "Authorization": "Bearer " + key, "Content-Type": "application/json"})
                return status, json.loads(text)

            def complete(place, more="", key="one"):
                answer = ask(place, "/v1/completions", {"prompt": prompt + more, "max_tokens": 8, "temperature": 0}, key)[1]
                return answer["choices"][0]["text"], answer["braid"]["cached_tokens"]

            with server() as first:
                text, cached = complete(first)
                self.assertEqual(cached, 0)
                status, saved = ask(first, "/slots/0?action=save", {"filename": "mill.bin"})
                self.assertEqual((status, saved["id_slot"], saved["filename"]), (200, 0, "mill.bin"))
                more = text + " And then"
                expected, _ = complete(first, more)
            with server() as second:
                self.assertEqual(ask(second, "/slots/0?action=restore", {"filename": "mill.bin"}, "two")[0], 404)
                status, restored = ask(second, "/slots/0?action=restore", {"filename": "mill.bin"})
                self.assertEqual((status, restored["n_restored"]), (200, saved["n_saved"]))
                self.assertEqual(restored["n_read"], saved["n_written"])
                self.assertEqual(complete(second, more, "two"), (expected, 0))
                again, cached = complete(second, more)
                self.assertEqual(again, expected)
                self.assertGreater(cached, 100)
                self.assertEqual(ask(second, "/slots/0?action=save", {"filename": "../mill.bin"})[0], 400)
            self.assertEqual(os.stat(folder + "/slots").st_mode & 0o777, 0o700)
        with Server() as without:
            self.assertEqual(without.ask("POST", "/slots/0?action=save", body='{"filename": "a"}')[0], 501)

    # ---- Requests that run when something happens

    def begin_long(self, server):
        """A stream of thousands of tokens that has given some already."""
        connection = server.connection()
        connection.request("POST", "/v1/completions", headers={"Content-Type": "application/json"}, body=json.dumps({
            "prompt": "One day", "max_tokens": 100000, "stream": True, "ignore_eos": True, "temperature": 0}))
        stream = connection.getresponse()
        self.assertEqual(stream.status, 200)
        while not stream.readline().startswith(b"data: "):
            pass
        return connection, stream

    def test_a_running_request_ends_within_the_grace(self):
        with Server("-c", "2048", "--grace", "60") as server:
            connection, stream = self.begin_long(server)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            with self.assertRaises(OSError):
                server.ask("GET", "/health")
            self.assertTrue(stream.read().endswith(b"data: [DONE]\n\n"))
            self.assertEqual(server.process.wait(PATIENCE), 0)
            connection.close()

    def test_what_is_left_after_the_grace_is_handed_back(self):
        with Server("-c", "32768", "--grace", "0.3") as server:
            connection, stream = self.begin_long(server)
            start = time.monotonic()
            server.process.send_signal(signal.SIGINT)
            rest = stream.read()
            self.assertLess(time.monotonic() - start, 10)
            self.assertIn(b"data: ", rest)
            self.assertEqual(server.process.wait(PATIENCE), 0)
            connection.close()

    def test_the_second_signal_ends_it_at_once(self):
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)):
            with Server("-c", "32768", "--grace", "60") as server:
                connection, _ = self.begin_long(server)
                server.process.send_signal(first)
                time.sleep(0.3)
                self.assertIsNone(server.process.poll())
                server.process.send_signal(second)
                self.assertEqual(server.process.wait(5), -second)
                connection.close()

    def test_a_client_that_goes_ends_its_work(self):
        for tls in ([], ["--tls-cert", str(DATA / "certificate.pem"), "--tls-key", str(DATA / "key.pem")]):
            with self.subTest(tls=bool(tls)), Server("-c", "32768", *tls) as server:
                self.one_goes(server)

    def one_goes(self, server):
        connection, stream = self.begin_long(server)
        self.assertEqual(server.gauge("braid_requests_running"), 1)
        start = time.monotonic()
        stream.close()
        connection.close()
        while server.gauge("braid_requests_running") > 0 and time.monotonic() - start < PATIENCE:
            time.sleep(0.01)
        self.assertLess(time.monotonic() - start, 2)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
