"""Reads a trace by docs/trace.md alone, so that the page and the program agree."""

import struct
import zlib


def read_trace(path):
    """The header as a dict, and the sequences as a list of dicts."""
    data = path.read_bytes()
    assert data[:8] == b"SIDTRC1\n" and struct.unpack_from("<I", data, 8) == (1,), data[:12]
    assert struct.unpack_from("<I", data, 100)[0] == zlib.crc32(data[:100])
    names = ("experts", "encoder_layers", "decoder_layers", "vocab", "start", "top")
    header = dict(zip(names, struct.unpack_from("<6i", data, 76)), model=data[12:44].hex())
    sequences, at = [], 104
    while at < len(data):
        head = data[at:at + 16]
        magic, size, checksum, own = struct.unpack("<4sIII", head)
        assert magic == b".SEQ" and own == zlib.crc32(head[:12])
        payload = data[at + 16:at + 16 + size]
        assert len(payload) == size and zlib.crc32(payload) == checksum
        sequences.append(_sequence(header, payload))
        at += 16 + size
    return header, sequences


def _sequence(header, payload):
    ordinal, forced, task_bytes, source, target = struct.unpack_from("<QBBII", payload)
    at = 18 + task_bytes
    sequence = {"ordinal": ordinal, "teacher_forced": bool(forced), "task": payload[18:at].decode()}

    def take(code, count):
        nonlocal at
        values = struct.unpack_from(f"<{count}{code}", payload, at)
        at += struct.calcsize(f"<{count}{code}")
        return list(values)

    code, none = ("B", 0xff) if header["experts"] <= 255 else ("H", 0xffff)

    def layer(tokens):
        gate, served = take(code, tokens), take(code, tokens)
        experts, values = take(code, tokens * header["top"]), take("e", tokens * header["top"])
        return {"gate": gate, "served": [-1 if expert == none else expert for expert in served],
                "top_experts": experts, "top_log_probabilities": values}

    sequence["source"], sequence["target"] = take("i", source), take("i", target)
    sequence["encoder"] = [layer(source) for _ in range(header["encoder_layers"])]
    sequence["decoder"] = [layer(target) for _ in range(header["decoder_layers"])]
    assert at == len(payload)
    return sequence
