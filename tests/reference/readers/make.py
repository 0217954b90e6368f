#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the Parquet files beside this script and, as NAME.json, the records that a reader must give.

    make.py

Bytes stand in the JSON as {"hex": "..."}; decimals, dates and times are text, as plugins/services/parquet gives them.
Made with Python 3.11, pyarrow 26.0.
"""
import datetime as dt
import decimal
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).resolve().parent
UTC = dt.timezone.utc


def fraction(nanoseconds):
    if nanoseconds == 0:
        return ""
    digits = f"{nanoseconds:09}"
    return "." + (digits[:3] if digits[3:] == "000000" else digits[:6] if digits[6:] == "000" else digits)


def plain(value):
    """A value of pyarrow's `to_pylist` as the reader gives it."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        zone = "Z" if value.tzinfo else ""
        return value.strftime("%Y-%m-%dT%H:%M:%S") + fraction(value.microsecond * 1000) + zone
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dt.time):
        return value.strftime("%H:%M:%S") + fraction(value.microsecond * 1000)
    if isinstance(value, dt.timedelta):
        return round(value.total_seconds() * 1000)  # The columns below count milliseconds.
    if isinstance(value, np.floating):
        return float(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def write(name, table, records=None, **options):
    pq.write_table(table, HERE / f"{name}.parquet", **options)
    if records is None:
        records = table.to_pylist()
    if table.num_rows and not records:
        return  # Too many to list: row i is {"i": i, "list": [0, 1, ...] of i % 4 items}.
    rows = ",\n".join(json.dumps(plain(record), ensure_ascii=False) for record in records)
    (HERE / f"{name}.json").write_text("[\n" + rows + "\n]\n", encoding="utf-8")


def scalars():
    columns = {"none": pa.array([None] * 4, pa.null()), "bool": pa.array([True, None, False, True])}
    for bits in (8, 16, 32, 64):
        low, high = -2 ** (bits - 1), 2 ** (bits - 1) - 1
        columns[f"int{bits}"] = pa.array([low, None, high, 7], f"int{bits}")
        columns[f"uint{bits}"] = pa.array([0, None, 2 ** min(bits, 63) - 1, 7], f"uint{bits}")
    columns["float16"] = pa.array([np.float16(0.1), None, np.float16(-2.5), np.float16(65504)], "float16")
    columns["float32"] = pa.array([0.1, None, -2.5, 3.0e38], "float32")
    columns["float64"] = pa.array([0.1, None, -2.5, 1.0e300], "float64")
    columns["string"] = pa.array(["", None, "ü\n🙂\0x", "plain"])
    columns["large_string"] = pa.array(["a", None, "b" * 300, ""], pa.large_string())
    columns["binary"] = pa.array([b"", None, b"\x00\xff\xfe", b"x"])
    columns["fixed"] = pa.array([b"abc", None, b"\x00\x01\x02", b"xyz"], pa.binary(3))
    numbers = [decimal.Decimal(text) if text else None for text in ("-1.50", None, "0.05", "12345.67")]
    columns["decimal9"] = pa.array(numbers, pa.decimal128(9, 2))
    columns["decimal18"] = pa.array(numbers, pa.decimal128(18, 2))
    columns["decimal38"] = pa.array([n and n * 10 ** 20 for n in numbers], pa.decimal128(38, 2))
    columns["decimal76"] = pa.array(numbers, pa.decimal256(76, 2))
    days = [dt.date(1970, 1, 1), None, dt.date(1600, 2, 29), dt.date(9999, 12, 31)]
    columns["date32"] = pa.array(days, pa.date32())
    columns["date64"] = pa.array(days, pa.date64())
    clocks = [dt.time(0), None, dt.time(23, 59, 59, 250000), dt.time(1, 2, 3)]
    columns["time32"] = pa.array(clocks, pa.time32("ms"))
    columns["time64"] = pa.array([clock and clock.replace(microsecond=7) for clock in clocks], pa.time64("us"))
    moments = [dt.datetime(1970, 1, 1), None, dt.datetime(1899, 12, 31, 23, 59, 59, 123000), dt.datetime(2024, 2, 29, 12)]
    columns["millisecond"] = pa.array(moments, pa.timestamp("ms"))
    columns["microsecond"] = pa.array([m and m.replace(microsecond=1) for m in moments], pa.timestamp("us"))
    columns["utc"] = pa.array([m and m.replace(tzinfo=UTC) for m in moments], pa.timestamp("us", "UTC"))
    columns["duration"] = pa.array([dt.timedelta(milliseconds=n) for n in (0, 1, -5, 86400000)], pa.duration("ms"))
    table = pa.table(columns)
    records = table.to_pylist()
    nanoseconds = pa.array([1, None, -1, 1700000000123456789], pa.timestamp("ns"))
    texts = ["1970-01-01T00:00:00.000000001", None, "1969-12-31T23:59:59.999999999", "2023-11-14T22:13:20.123456789"]
    table = table.append_column("nanosecond", nanoseconds)
    for record, text in zip(records, texts):
        record["nanosecond"] = text
    table = table.append_column("beyond_int64", pa.array([2 ** 64 - 1, None, 2 ** 63, 1], "uint64"))
    for record, number in zip(records, (float(2 ** 64), None, float(2 ** 63), 1)):
        record["beyond_int64"] = number
    write("scalars", table, records, compression="snappy")


def nested():
    messages = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("weight", pa.float32())]))
    schema = pa.schema([
        ("messages", messages),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string()), ("size", pa.list_(pa.int32(), 2))])),
        ("matrix", pa.list_(pa.large_list(pa.int64()))),
        ("tags", pa.map_(pa.string(), pa.list_(pa.int16()))),
        ("pairs", pa.map_(pa.int32(), pa.string())),
    ])
    records = [
        {"messages": [{"role": "user", "content": "Hi", "weight": None}, {"role": "assistant", "content": "Hello 🙂", "weight": 0.5}],
         "image": {"bytes": b"\x89PNG", "path": None, "size": [2, 3]}, "matrix": [[1, 2], [], None, [None]],
         "tags": [("a", [1, None]), ("b", None)], "pairs": [(1, "x"), (2, None)]},
        {"messages": [], "image": None, "matrix": None, "tags": [], "pairs": None},
        {"messages": None, "image": {"bytes": None, "path": "x.png", "size": None}, "matrix": [], "tags": None, "pairs": []},
        {"messages": [None, {"role": None, "content": "", "weight": 1.0}], "image": {"bytes": b"", "path": "", "size": [0, -1]},
         "matrix": [[]], "tags": [("", [])], "pairs": [(-1, "")]},
    ]
    table = pa.Table.from_pylist(records, schema=schema)
    for record in records:
        record["tags"] = record["tags"] if record["tags"] is None else dict(record["tags"])
        record["pairs"] = record["pairs"] and [{"key": key, "value": value} for key, value in record["pairs"]]
    write("nested", table, records, compression="zstd")


def dictionary():
    words = [("red", "green", None, "blue")[i * i % 4] for i in range(60)]
    indexed = pa.DictionaryArray.from_arrays(pa.array([i % 3 if i % 7 else None for i in range(60)], "int8"), ["x", "yy", "zzz"])
    table = pa.table({"plain": pa.array(words), "indexed": indexed, "number": pa.array([i % 5 for i in range(60)], "uint16")})
    write("dictionary", table, compression="gzip", data_page_version="2.0")


def groups():
    def table(n):
        return pa.table({"i": pa.array(range(n), "int32"), "text": [f"row {i}" for i in range(n)],
                         "list": [list(range(i % 4)) for i in range(n)]})
    write("groups", table(40), compression="brotli", row_group_size=3, write_page_index=True)
    write("pages", table(2500).drop_columns(["text"]), [], compression="lz4", data_page_size=1024, write_batch_size=64)
    write("plain", table(5), compression="none", use_dictionary=False)
    write("empty", table(0), compression="snappy")


for make in (scalars, nested, dictionary, groups):
    make()
