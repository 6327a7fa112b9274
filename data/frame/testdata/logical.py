# SPDX-License-Identifier: Apache-2.0
"""Writes a Parquet file of every type that pyarrow has for a flat table, packed in every way, to a folder."""

import datetime as d
import decimal
import json
import sys
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

at = d.datetime(2016, 5, 3, 14, 0, 5, 123456)
columns = {
    "bool": pa.array([True, None]),
    "int8": pa.array([-8, None], pa.int8()),
    "int64": pa.array([2**53, None], pa.int64()),
    "int64_large": pa.array([2**53 + 1, None], pa.int64()),
    "uint32": pa.array([2**32 - 1, None], pa.uint32()),
    "uint64_large": pa.array([2**64 - 1, None], pa.uint64()),
    "float16": pa.array([np.float16(-0.5), None], pa.float16()),
    "float32": pa.array([0.25, None], pa.float32()),
    "float64": pa.array([0.1, None], pa.float64()),
    "decimal32": pa.array([decimal.Decimal("-1.25"), None], pa.decimal128(5, 2)),
    "decimal128": pa.array([decimal.Decimal("12345678901234567890.5"), None], pa.decimal128(30, 1)),
    "decimal256": pa.array([decimal.Decimal("-0.1"), None], pa.decimal256(50, 3)),
    "date32": pa.array([d.date(2016, 5, 3), None], pa.date32()),
    "date64": pa.array([d.date(1969, 12, 31), None], pa.date64()),
    "time_ms": pa.array([d.time(14, 0, 5, 250000), None], pa.time32("ms")),
    "time_us": pa.array([d.time(0, 0, 1, 1), None], pa.time64("us")),
    "time_ns": pa.array([1_500_000_000, None], pa.int64()).cast(pa.time64("ns")),
    "stamp_s": pa.array([at.replace(microsecond=0), None], pa.timestamp("s")),
    "stamp_ms": pa.array([at.replace(microsecond=123000), None], pa.timestamp("ms")),
    "stamp_us": pa.array([at, None], pa.timestamp("us")),
    "stamp_ns": pa.array([-1, None], pa.int64()).cast(pa.timestamp("ns")),
    "stamp_zone": pa.array([at, None], pa.timestamp("us", "Europe/Berlin")),
    "string": pa.array(["é", None]),
    "large_string": pa.array(["a", None], pa.large_string()),
    "binary": pa.array([b"b", None], pa.binary()),
    "dictionary": pa.array(["x", None]).dictionary_encode(),
    "uuid": pa.ExtensionArray.from_storage(
        pa.uuid(), pa.array([uuid.UUID(int=1).bytes, None], pa.binary(16))
    ),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array([json.dumps([1]), None])),
    "null": pa.nulls(2, pa.int32()),
    "group": pa.array([{"field": 1.5}, None], pa.struct([("field", pa.float64())])),
}
for packed in ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]:
    for version in ["1.0", "2.0"]:
        pq.write_table(
            pa.table(columns), f"{sys.argv[1]}/{packed}-{version}.parquet", compression=packed, data_page_version=version
        )
