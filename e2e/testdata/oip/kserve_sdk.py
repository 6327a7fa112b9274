# SPDX-License-Identifier: Apache-2.0
"""Asks a server by KServe's SDK, over REST and gRPC. Arguments as for triton.py."""
import asyncio
import json
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

http_at, grpc_at, model, rows, want = sys.argv[1:6]
rows, want = json.loads(rows), json.loads(want)
names = list(rows[0])


def request(binary):
    inputs = []
    for name in names:
        column = [r[name] for r in rows]
        if isinstance(column[0], str):
            t = InferInput(name, [len(rows)], "BYTES")
            t.set_data_from_numpy(np.array(column, dtype=np.object_), binary_data=binary)
        else:
            t = InferInput(name, [len(rows)], "FP64")
            t.set_data_from_numpy(np.array([np.nan if v is None else v for v in column], dtype=np.float64), binary_data=binary)
        inputs.append(t)
    return InferRequest(model_name=model, infer_inputs=inputs, request_id="k1")


async def main():
    c = InferenceRESTClient(RESTConfig(protocol="v2"))
    base = "http://" + http_at
    assert await c.is_server_live(base) and await c.is_server_ready(base)
    assert await c.is_model_ready(base, model)
    for binary in (True, False):
        r = await c.infer(base, request(binary), model_name=model)
        assert list(r.outputs[0].as_numpy()) == want and r.id == "k1", r
    await c.close()
    g = InferenceGRPCClient(url=grpc_at)
    assert await g.is_server_live() and await g.is_server_ready() and await g.is_model_ready(model)
    for binary in (True, False):
        r = await g.infer(request(binary))
        assert list(r.outputs[0].as_numpy()) == want, r
    await g.close()


asyncio.run(main())
print("OK")
