# SPDX-License-Identifier: Apache-2.0
"""Asks a server by tritonclient, over HTTP and gRPC: JSON and binary, one way and the
other, compressed and not, at once and in a stream. What it says must be what the native
API said of the same rows. Arguments: HTTP address, gRPC address, model, rows as JSON,
the values that are right as JSON."""
import asyncio
import json
import queue
import sys

import numpy as np
import tritonclient.grpc as grpcclient
import tritonclient.grpc.aio as grpcaio
import tritonclient.http as httpclient
import tritonclient.http.aio as httpaio
from tritonclient.utils import InferenceServerException

http_at, grpc_at, model, rows, want = sys.argv[1:6]
rows, want = json.loads(rows), np.array(json.loads(want))
names = list(rows[0])


def tensors(client, dtype=np.float64, without=(), **binary):
    out = []
    for name in names:
        if name in without:
            continue
        column = [r[name] for r in rows]
        if isinstance(column[0], str):
            a, word = np.array(column, dtype=np.object_), "BYTES"
        else:
            a = np.array([np.nan if v is None else v for v in column], dtype=dtype)
            word = {np.float64: "FP64", np.float32: "FP32"}[dtype]
        t = client.InferInput(name, list(a.shape), word)
        t.set_data_from_numpy(a, **binary)
        out.append(t)
    return out


def right(result, tolerance=0.0):
    got = result.as_numpy("value")
    assert got.shape == want.shape and np.all(np.abs(got - want) <= tolerance), (got, want)
    return result


def over_http():
    c = httpclient.InferenceServerClient(http_at)
    assert c.is_server_live() and c.is_server_ready() and c.is_model_ready(model)
    assert not c.is_model_ready("nobody")
    assert "binary_tensor_data" in c.get_server_metadata()["extensions"]
    meta = c.get_model_metadata(model)
    assert {i["name"] for i in meta["inputs"]} == set(names), meta
    assert c.get_model_config(model)["max_batch_size"] == 0
    assert [m for m in c.get_model_repository_index() if m["name"] == model and m["state"] == "READY"]
    c.load_model(model)
    for dense in (True, False):
        right(c.infer(model, tensors(httpclient, binary_data=dense)))
        for out in (True, False):
            asked = [httpclient.InferRequestedOutput(n, binary_data=out) for n in ("value", "id", "version")]
            r = right(c.infer(model, tensors(httpclient, binary_data=dense), outputs=asked, request_id="r7"))
            assert r.get_response()["id"] == "r7" and len(r.as_numpy("id")[0]) == 36 and r.as_numpy("version")[0] == 1
        for how in ("gzip", "deflate"):
            right(c.infer(model, tensors(httpclient, binary_data=dense),
                          request_compression_algorithm=how, response_compression_algorithm=how))
    right(c.infer(model, tensors(httpclient), model_version="1"))
    right(c.infer(model, tensors(httpclient, dtype=np.float32)), tolerance=1.0)
    waiting = [c.async_infer(model, tensors(httpclient)) for _ in range(8)]
    for w in waiting:
        right(w.get_result())
    for wrong, word in (
        (tensors(httpclient, without=(names[0],)), names[0]),
        (tensors(httpclient) + tensors(httpclient)[:1], "twice"),
    ):
        try:
            c.infer(model, wrong)
            raise SystemExit("a wrong request was answered")
        except InferenceServerException as e:
            assert word in e.message(), e
    stats = c.get_inference_statistics(model)["model_stats"]
    assert stats[0]["inference_stats"]["success"]["count"] >= 20, stats


def over_grpc():
    c = grpcclient.InferenceServerClient(grpc_at)
    assert c.is_server_live() and c.is_server_ready() and c.is_model_ready(model)
    assert c.get_server_metadata().name == "flyball"
    assert {i.name for i in c.get_model_metadata(model).inputs} == set(names)
    assert c.get_model_config(model).config.max_batch_size == 0
    assert [m for m in c.get_model_repository_index().models if m.name == model and m.state == "READY"]
    c.load_model(model)
    right(c.infer(model, tensors(grpcclient)))
    right(c.infer(model, tensors(grpcclient), compression_algorithm="gzip", model_version="1", client_timeout=10))
    r = right(c.infer(model, tensors(grpcclient), outputs=[grpcclient.InferRequestedOutput(n) for n in ("value", "id", "arm")]))
    assert len(r.as_numpy("id")[0]) == 36 and r.as_numpy("arm")[0] == b"live"
    results = queue.Queue()
    for _ in range(8):
        c.async_infer(model, tensors(grpcclient), callback=lambda result, error: results.put((result, error)))
    for _ in range(8):
        result, error = results.get(timeout=30)
        assert error is None, error
        right(result)
    c.start_stream(callback=lambda result, error: results.put((result, error)))
    c.async_stream_infer(model, tensors(grpcclient), request_id="a")
    c.async_stream_infer(model, tensors(grpcclient, without=(names[0],)), request_id="b")
    c.async_stream_infer(model, tensors(grpcclient), request_id="c")
    a, b, z = (results.get(timeout=30) for _ in range(3))
    assert a[1] is None and z[1] is None and names[0] in str(b[1]), (a, b, z)
    right(a[0]), right(z[0])
    c.stop_stream()
    for call, code in (
        (lambda: c.infer("nobody", tensors(grpcclient)), "NOT_FOUND"),
        (lambda: c.infer(model, tensors(grpcclient, without=(names[0],))), "INVALID_ARGUMENT"),
        (lambda: c.get_trace_settings(), "UNIMPLEMENTED"),
    ):
        try:
            call()
            raise SystemExit("a wrong request was answered")
        except InferenceServerException as e:
            assert code in e.status(), e
    assert c.get_inference_statistics(model).model_stats[0].inference_stats.success.count >= 20


async def at_once():
    async with httpaio.InferenceServerClient(http_at) as h, grpcaio.InferenceServerClient(grpc_at) as g:
        got = await asyncio.gather(*[h.infer(model, tensors(httpclient)) for _ in range(16)],
                                   *[g.infer(model, tensors(grpcclient)) for _ in range(16)])
        for r in got:
            right(r)


over_http()
over_grpc()
asyncio.run(at_once())
print("OK")
