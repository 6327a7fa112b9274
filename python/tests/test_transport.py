# SPDX-License-Identifier: Apache-2.0
"""What the SDK does with each answer of a server, and with none."""

import http.server
import json
import pickle
import threading
import unittest

import flyball


class Scripted:
    """A server that gives the answers of a list, one a request, and keeps what it was asked."""

    def __init__(self, *answers):
        self.asked = []
        script = list(answers)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self):
                n = int(self.headers.get("Content-Length") or 0)
                outer.asked.append((self.command, self.path, self.rfile.read(n), dict(self.headers)))
                status, body, headers = script.pop(0)
                if status == 0:  # cut
                    self.close_connection = True
                    return
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                for k, v in headers.items():
                    self.send_header(k, v)
                self.end_headers()
                self.wfile.write(raw)

            do_POST = do_GET = do_PUT = do_DELETE = do

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()


ANSWER = {
    "model": "m",
    "version": 3,
    "generation": 7,
    "predictions": [{"id": "i", "key": "k", "version": 3, "arm": "live", "value": 0.25, "flags": ["unseen:a"]}],
}
LABELED = {"accepted": 1, "unmatched": 0}
AT_ONCE = {"Retry-After": "0"}


class Answers(unittest.TestCase):
    def test_an_answer_comes_back_row_by_row(self):
        with Scripted((200, ANSWER, {})) as s:
            got = flyball.connect(s.url, "secret").predict("a/b c", {"x": float("nan"), "é": 1})
        self.assertEqual((got.model, got.version, got.generation, len(got)), ("m", 3, 7, 1))
        self.assertEqual((got[0].value, got[0].key, got[0].arm, got[0].flags), (0.25, "k", "live", ("unseen:a",)))
        self.assertEqual([p.id for p in got], ["i"])
        method, path, body, headers = s.asked[0]
        self.assertEqual((method, path), ("POST", "/v1/models/a%2Fb%20c/predict"))
        self.assertEqual(json.loads(body), {"rows": [{"x": None, "é": 1}]})
        self.assertEqual(headers["Authorization"], "Bearer secret")

    def test_the_groups_of_a_row_go_beside_it(self):
        with Scripted((200, ANSWER, {}), (200, ANSWER, {})) as s:
            client = flyball.connect(s.url)
            client.predict("m", [{"x": 1}, {"x": 2}], audit=[{"gender": "f", "age": 42}, {"gender": None}])
            client.log_prediction("m", {"x": 1}, 0.5, version=3, audit={"gender": "f"})
        self.assertEqual(
            json.loads(s.asked[0][2]),
            {"rows": [{"x": 1}, {"x": 2}], "audit": [{"gender": "f", "age": 42}, {"gender": None}]},
        )
        told = json.loads(s.asked[1][2])["predictions"][0]
        self.assertEqual((told["row"], told["audit"]), ({"x": 1}, {"gender": "f"}))

    def test_each_status_is_an_error_of_its_own(self):
        for status, kind in (
            (400, flyball.Invalid),
            (401, flyball.Unauthenticated),
            (403, flyball.Denied),
            (404, flyball.NotFound),
            (409, flyball.Conflict),
            (413, flyball.TooLarge),
            (422, flyball.Refused),
            (500, flyball.Internal),
        ):
            with self.subTest(status), Scripted((status, {"title": "t", "detail": "said"}, {})) as s:
                with self.assertRaises(kind) as c:
                    flyball.connect(s.url).label("m", {"k": 1})
                self.assertEqual((c.exception.what, c.exception.status), ("said", status))
                self.assertEqual(len(s.asked), 1)

    def test_a_field_that_does_not_fit_is_named(self):
        problem = {"detail": "validation failed", "errors": [{"message": "too long", "location": "body.labels"}]}
        with Scripted((422, problem, {})) as s, self.assertRaises(flyball.Refused) as c:
            flyball.connect(s.url).label("m", {"k": 1})
        self.assertEqual(str(c.exception), "validation failed; too long (body.labels)")

    def test_an_error_without_a_body_says_its_status(self):
        with Scripted((418, b"<html>", {})) as s, self.assertRaises(flyball.Invalid) as c:
            flyball.connect(s.url).label("m", {"k": 1})
        self.assertEqual(str(c.exception), "the server answered with HTTP status 418")

    def test_a_redirect_is_not_followed_with_the_token(self):
        with Scripted((307, b"", {"Location": "http://127.0.0.1:1/"})) as s, self.assertRaises(flyball.Invalid):
            flyball.connect(s.url, "secret").label("m", {"k": 1})

    def test_an_answer_that_is_not_json_is_an_error(self):
        with Scripted((200, b"hello", {})) as s, self.assertRaises(flyball.Internal) as c:
            flyball.connect(s.url).label("m", {"k": 1})
        self.assertIn("the answer is not JSON", str(c.exception))

    def test_an_error_survives_a_pickle(self):
        e = pickle.loads(pickle.dumps(flyball.Invalid("what", "why", "do", 400)))
        self.assertEqual((type(e), str(e), e.status), (flyball.Invalid, "what: why; do", 400))


class Retries(unittest.TestCase):
    def test_429_is_tried_again_even_for_a_prediction(self):
        with Scripted((429, {}, AT_ONCE), (429, {}, AT_ONCE), (200, ANSWER, {})) as s:
            flyball.connect(s.url).predict("m", {"x": 1})
        self.assertEqual(len(s.asked), 3)

    def test_the_wait_that_the_server_asks_for_counts(self):
        with Scripted((429, {"detail": "slowly"}, {"Retry-After": "9"})) as s:
            with self.assertRaises(flyball.Exhausted) as c:
                flyball.connect(s.url, patience=5).predict("m", {"x": 1})
        self.assertEqual((str(c.exception), len(s.asked)), ("slowly", 1))

    def test_a_date_in_retry_after_is_read(self):
        past = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
        with Scripted((429, {}, past), (200, LABELED, {})) as s:
            flyball.connect(s.url).label("m", {"k": 1})
        self.assertEqual(len(s.asked), 2)

    def test_a_prediction_that_may_have_been_made_is_not_asked_for_twice(self):
        for failure in ((503, {"detail": "gone"}, AT_ONCE), (0, b"", {})):
            with self.subTest(failure[0]), Scripted(failure, (200, ANSWER, {})) as s:
                with self.assertRaises(flyball.Unavailable):
                    flyball.connect(s.url).predict("m", {"x": 1})
                self.assertEqual(len(s.asked), 1)

    def test_labels_are_told_again(self):
        for failure in ((503, {}, AT_ONCE), (502, {}, AT_ONCE), (0, b"", {})):
            with self.subTest(failure[0]), Scripted(failure, (200, LABELED, {})) as s:
                got = flyball.connect(s.url).label("m", {"k": 1})
                self.assertEqual((got.accepted, len(s.asked)), (1, 2))

    def test_no_server_is_said_with_advice(self):
        with self.assertRaises(flyball.Unavailable) as c:
            flyball.connect("http://127.0.0.1:1", patience=0).predict("m", {"x": 1})
        self.assertIn("no server answers at http://127.0.0.1:1: ", str(c.exception))
        self.assertIn("; start one with flyball serve, or set FLYBALL_URL", str(c.exception))
        self.assertEqual(c.exception.status, 0)


class Requests(unittest.TestCase):
    def test_what_is_not_the_address_of_a_server_is_refused(self):
        for url in ("127.0.0.1:7180", "ftp://x", "file:///etc/passwd", "http://"):
            with self.subTest(url), self.assertRaises(flyball.Invalid):
                flyball.connect(url)

    def test_values_that_json_lacks_are_refused_with_their_place(self):
        c = flyball.connect("http://127.0.0.1:1")
        for rows, says in (
            ([{"x": 1}, {"x": float("inf")}], "row 1, column 'x' is infinite"),
            ([{"x": object()}], "row 0, column 'x' is of type object"),
            ([[1, 2]], "row 0 is of type list"),
        ):
            with self.subTest(says), self.assertRaises(flyball.Invalid) as e:
                c.predict("m", rows)
            self.assertTrue(str(e.exception).startswith(says), e.exception)

    def test_labels_go_in_parts_of_ten_thousand(self):
        with Scripted((200, {"accepted": 10000, "unmatched": 1}, {}), (200, {"accepted": 5, "unmatched": 2}, {})) as s:
            got = flyball.connect(s.url).label("m", [flyball.Label(i % 2, key=str(i)) for i in range(10005)])
        self.assertEqual((got.accepted, got.unmatched), (10005, 3))
        self.assertEqual([len(json.loads(a[2])["labels"]) for a in s.asked], [10000, 5])

    def test_a_prediction_made_elsewhere_is_told_again_under_its_id(self):
        with Scripted((503, {}, AT_ONCE), (200, ANSWER, {})) as s:
            got = flyball.connect(s.url).log_prediction("m", {"x": 1}, 0.25, version=3, at="2026-01-02T03:04:05Z")
        self.assertEqual(got.value, 0.25)
        first, second = (json.loads(a[2])["predictions"][0] for a in s.asked)
        self.assertEqual(first, second)
        self.assertRegex(first.pop("id"), "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        self.assertEqual(first, {"row": {"x": 1}, "version": 3, "value": 0.25, "at": "2026-01-02T03:04:05Z"})

    def test_scores_of_classes_are_sent_as_such(self):
        with Scripted((200, ANSWER, {})) as s:
            flyball.connect(s.url).log_prediction("m", {"x": 1}, (0.25, 0.75), version=3)
        self.assertEqual(json.loads(s.asked[0][2])["predictions"][0]["scores"], [0.25, 0.75])

    def test_times_and_tables_are_sent_as_json_has_them(self):
        import datetime
        import decimal

        class Table:  # as pandas has it
            columns = ["a", "b"]

            def to_dict(self, orient):
                assert orient == "records"
                return [{"a": decimal.Decimal("1.5"), "b": datetime.datetime(2026, 1, 2, 3, 4)}]

        with Scripted((200, ANSWER, {})) as s:
            flyball.connect(s.url).predict("m", Table())
        self.assertEqual(json.loads(s.asked[0][2]), {"rows": [{"a": 1.5, "b": "2026-01-02T03:04:00"}]})


if __name__ == "__main__":
    unittest.main()
