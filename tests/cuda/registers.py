#!/usr/bin/env python3
"""Registers and stack of every kernel on every target, read from the object files of nvcc, against a table.

    registers.py TABLE OBJECT...          fails where a kernel takes more, or table and objects differ in kernels
    registers.py --write TABLE OBJECT...  writes the table

Objects must hold their device code uncompressed (nvcc --no-compress). Registers decide how many threads a
processor holds, and stack is where spilled registers and badly indexed arrays go, so a change should be seen.
"""
import re
import struct
import sys

CUDA_MACHINE = 190
REGISTERS, FRAME = 0x2F, 0x11  # attributes of .nv.info


def device_code(data):
    """-> (architecture, bytes of one ELF of device code) for each in an object file"""
    at = 1
    while (at := data.find(b"\x7fELF", at)) >= 0:
        if struct.unpack_from("<H", data, at + 18)[0] == CUDA_MACHINE:
            flags = struct.unpack_from("<I", data, at + 0x30)[0]
            yield flags >> 8 & 0xFF, data[at:]
        at += 4


def kernels(elf):
    """-> name, registers, bytes of stack"""
    offset = struct.unpack_from("<Q", elf, 0x28)[0]
    count, names = struct.unpack_from("<HH", elf, 0x3C)
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, offset + 64 * i) for i in range(count)]
    symbols, attributes = {}, {}
    for section in sections:
        start = sections[names][4] + section[0]
        name = elf[start:elf.index(b"\0", start)].decode()
        if name.startswith(".text."):
            symbols[section[7] & 0xFFFFFF] = name[len(".text."):]
        if name == ".nv.info":
            at, end = section[4], section[4] + section[5]
            while at < end:
                form, attribute, size = struct.unpack_from("<BBH", elf, at)
                if form == 4 and attribute in (REGISTERS, FRAME):
                    symbol, value = struct.unpack_from("<II", elf, at + 4)
                    attributes[symbol, attribute] = value
                at += 4 + (size if form == 4 else 0)
    for symbol, name in symbols.items():
        yield name, attributes[symbol, REGISTERS], attributes.get((symbol, FRAME), 0)


def plain_name(mangled):
    """The kernel's own name and template arguments: its unnamed namespace carries the hash of a file."""
    at, name = len("_ZN"), mangled
    while length := re.match(r"\d+", mangled[at:]):
        at += length.end()
        name = mangled[at:at + int(length.group())]
        at += int(length.group())
    arguments = re.match(r"I(\w+?)E", mangled[at:])
    return name + (f"<{arguments.group(1)}>" if arguments else "")


def main():
    arguments = sys.argv[1:]
    write = arguments[:1] == ["--write"]
    table, *objects = arguments[1 if write else 0:]
    found = {}
    for path in objects:
        with open(path, "rb") as file:
            data = file.read()
        for architecture, elf in device_code(data):
            for name, registers, stack in kernels(elf):
                found[plain_name(name), architecture] = registers, stack
    if write:
        with open(table, "w", encoding="ascii") as file:
            file.write("# Registers and bytes of stack at most, written by registers.py --write.\n")
            for (name, architecture), (registers, stack) in sorted(found.items()):
                file.write(f"{name} sm_{architecture} {registers} {stack}\n")
        return 0
    with open(table, encoding="ascii") as file:
        allowed = {(words[0], int(words[1][3:])): (int(words[2]), int(words[3]))
                   for words in map(str.split, file) if words[0] != "#"}
    complaints = [f"{name} on sm_{architecture} is in {where} alone"
                  for keys, where in ((found.keys() - allowed.keys(), "the objects"),
                                      (allowed.keys() - found.keys(), "the table"))
                  for name, architecture in sorted(keys)]
    for key in sorted(found.keys() & allowed.keys()):
        for what, has, may in zip(("registers", "bytes of stack"), found[key], allowed[key]):
            if has > may:
                complaints.append(f"{key[0]} on sm_{key[1]} takes {has} {what}, {may} at most")
    print("\n".join(complaints) or f"{len(found)} kernels on their targets are within {table}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
