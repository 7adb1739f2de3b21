"""faster-whisper behind a plain HTTP server, for `cargo xtask load --peer NAME=URL`.

    python benches/serve_peer.py MODEL PORT [--threads 2] [--workers 1]

Nothing is between the engine and the socket that could cost it time: Python's own server with a thread for each connection, the
uploaded bytes decoded from memory, one answer of JSON. Requests wait for a free worker inside CTranslate2. `MODEL` is a folder in
CTranslate2's layout.
"""

import argparse
import email.parser
import email.policy
import http.server
import io
import json

import faster_whisper


def fields(headers, body):
    """The parts of a form by their names: bytes each."""
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    return {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in form.iter_parts()}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    transcribe = None

    def do_POST(self):
        form = fields(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
        language = form.get("language", b"").decode() or None
        temperature = float(form.get("temperature", b"0"))
        # The same work as ours: the most probable token each time, one try, nothing carried from window to window.
        segments, _ = type(self).transcribe(
            io.BytesIO(form["file"]),
            language=language,
            temperature=temperature,
            beam_size=1,
            condition_on_previous_text=False,
        )
        answer = json.dumps({"text": "".join(segment.text for segment in segments).strip()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer)
        self.close_connection = True

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("port", type=int)
    parser.add_argument("--threads", type=int, default=2, help="threads of each worker")
    parser.add_argument("--workers", type=int, default=1, help="windows of different requests at once")
    asked = parser.parse_args()
    model = faster_whisper.WhisperModel(
        asked.model, device="cpu", compute_type="int8", cpu_threads=asked.threads, num_workers=asked.workers
    )
    Handler.transcribe = staticmethod(model.transcribe)
    Server(("127.0.0.1", asked.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
