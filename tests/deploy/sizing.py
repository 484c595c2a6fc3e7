"""The arithmetic of docs/sizing.md, from the geometries of common/model/released_models.cc. In bf16, bytes."""

import re

import tools

VOCABULARY, D_KV, BYTES = 32128, 64, 2


def models():
    text = (tools.SOURCE / "common" / "model" / "released_models.cc").read_text()
    for name, *numbers in re.findall(r'Released\{"([\w-]+)", (\d+), (\d+), (\d+), (\d+), (\d+),', text):
        yield name, *map(int, numbers)


def row(name, d_model, d_ff, heads, layers, experts):
    """One line of the table. A stack has `layers` blocks, every second of them with experts."""
    attention = 4 * d_model * heads * D_KV
    dense = 2 * d_model * d_ff
    embedding = VOCABULARY * d_model
    expert = dense * BYTES
    # Blocks of the decoder attend twice; the embedding is the head, too.
    trunk = (layers * attention + layers * 2 * attention + layers * dense + embedding) * BYTES
    trunk_per_token = (layers * 2 * attention + layers // 2 * dense + embedding) * BYTES
    experts_per_token = layers // 2 * expert
    cache_per_token = layers * 2 * heads * D_KV * BYTES
    wire_per_token = layers // 2 * 2 * d_model * BYTES
    cells = [name, f"{expert / 1e6:.1f} MB", f"{layers * experts:,}", f"{layers * experts * expert / 1e9:.1f} GB",
             f"{trunk / 1e6:.0f} MB", f"{trunk_per_token / 1e6:.0f} MB", f"{experts_per_token / 1e6:.0f} MB",
             f"{cache_per_token / 1024:.0f} KiB", f"{wire_per_token / 1024:.0f} KiB"]
    return "| " + " | ".join(cells) + " |"


def table():
    return "\n".join(row(*model) for model in models())
