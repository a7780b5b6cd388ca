"""A server on a free port that gives the answers it is told, byte by byte, as a proxy in trouble does."""

import http.server
import threading


class Answers:
    """Each answer is status, headers and body; the last is given again and again. `asked` are
    the requests: method and path with query."""

    def __init__(self, *answers, port=0):
        left, asked = list(answers), []

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                asked.append(f"{self.command} {self.path}")
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, body = left.pop(0) if len(left) > 1 else left[0]
                self.send_response(status)
                for name, value in {"Content-Length": len(body), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.asked = asked
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
