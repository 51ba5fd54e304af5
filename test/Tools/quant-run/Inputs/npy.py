"""Writes and prints .npy files with nothing but Python.

npy.py make PATH DESCR SHAPE VALUE...   values repeat until the array is full;
                                        "1,2*8" is eight times 1, 2
npy.py show PATH
"""

import ast
import struct
import sys

CODES = {"<f4": "f", "<f2": "e", "|i1": "b", "|u1": "B", "<i4": "i", "<i8": "q"}


def expand(text):
    run, _, times = text.partition("*")
    return run.split(",") * int(times or 1)


def make(path, descr, shape, values):
    shape = tuple(int(size) for size in shape.split("x") if size)
    count = 1
    for size in shape:
        count *= size
    values = [value for text in values for value in expand(text)]
    parse = float if descr[1] == "f" else int
    numbers = [parse(values[i % len(values)]) for i in range(count)]
    header = repr({"descr": descr, "fortran_order": False, "shape": shape})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)))
        file.write(header.encode())
        file.write(struct.pack(f"<{count}{CODES[descr]}", *numbers))


def show(path):
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack_from("<H", data, 8)[0]
    assert (10 + length) % 64 == 0, "the data is not aligned"
    header = ast.literal_eval(data[10 : 10 + length].decode())
    code = CODES[header["descr"]]
    values = [item[0] for item in struct.iter_unpack("<" + code, data[10 + length :])]
    print(header["descr"], header["shape"], *values)


if sys.argv[1] == "make":
    make(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
else:
    show(sys.argv[2])
