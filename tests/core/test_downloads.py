"""The progress of downloads, as it is read off the bars that open_clip and huggingface_hub move."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from open_clip.pretrained import download_pretrained_from_url
from tqdm import std, tqdm

from pez_core.models.downloads import LEAST, watching

BYTES = 3 * LEAST


@pytest.fixture
def address():
    class Weights(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(BYTES))
            self.end_headers()
            self.wfile.write(bytes(BYTES))

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Weights)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/weights.pt"
    server.shutdown()


def test_a_download_of_open_clip_is_reported_to_its_end(address, tmp_path):
    seen = []
    with watching(lambda done, total: seen.append((done, total))):
        download_pretrained_from_url(address, str(tmp_path))
    assert {total for _, total in seen} == {BYTES}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == BYTES
    assert len(seen) > 10


def test_a_bar_that_is_not_drawn_counts_as_well():
    seen = []
    with watching(lambda *each: seen.append(each)):
        bar = tqdm(total=BYTES, disable=True)
        bar.update(LEAST)
        bar.update(LEAST)
        tqdm(total=10, disable=True).update(1)  # no download
    assert seen == [(LEAST, BYTES), (2 * LEAST, BYTES)]


def test_what_the_report_raises_ends_the_download(address, tmp_path):
    def cancel(*_):
        raise KeyboardInterrupt

    before = std.tqdm.update
    with pytest.raises(KeyboardInterrupt), watching(cancel):
        download_pretrained_from_url(address, str(tmp_path))
    assert std.tqdm.update is before
