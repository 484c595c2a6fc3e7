"""The golden cases: one tiny model each, with its input sequences.

A case is a plain dictionary. `config` holds what differs from `BASE_CONFIG`;
`sources` and `targets` hold one list of token ids per sequence. `seed` decides
the weights; it is chosen so that greedy output is varied.
"""

import random
import zlib

PAD = 0
EOS = 1
START = 0

BASE_CONFIG = dict(
    vocab_size=128,
    d_model=32,
    d_kv=8,
    d_ff=32,
    num_heads=4,
    num_layers=4,
    num_decoder_layers=4,
    num_sparse_encoder_layers=2,
    num_sparse_decoder_layers=2,
    num_experts=8,
    expert_capacity=64,
)

SMALL = dict(d_model=16, d_ff=24, num_heads=2, vocab_size=64)


def tokens(seed, length, vocab, eos=True):
    """Random ids without pad and eos; the last one is eos from length 2 on."""
    rng = random.Random(seed)
    ids = [rng.randrange(2, vocab) for _ in range(length)]
    if eos and length > 1:
        ids[-1] = EOS
    return ids


def repeated(seed, length, vocab, period=3):
    """Runs of a repeated token between random ones: fills one expert."""
    rng = random.Random(seed)
    token = rng.randrange(2, vocab)
    ids = [token if i % 8 < period * 2 else rng.randrange(2, vocab) for i in range(length)]
    ids[-1] = EOS
    return ids


def case(name, description, sources, targets, seed=0, dtype="float32", safe=True,
         shard=None, padded=False, repeat=False, start_in_config=True,
         separate_embeddings=False, twins=False, hash_routing=False, binds=False, config=None):
    settings = dict(BASE_CONFIG)
    settings.update(config or {})
    settings["decoder_start_token_id"] = START if start_in_config else None
    make = repeated if repeat else tokens
    vocab = settings["vocab_size"]

    def fill(lengths, offset):
        key = zlib.crc32(name.encode()) + offset
        return [
            (make if n > 3 else tokens)(key + 17 * i, n, vocab) for i, n in enumerate(lengths)
        ]

    return dict(
        name=name, description=description, seed=seed, dtype=dtype, safe=safe, shard=shard,
        padded=padded, binds=binds, config=settings, separate_embeddings=separate_embeddings,
        twins=twins, hash_routing=hash_routing,
        sources=fill(sources, 1), targets=fill(targets, 5003),
    )


ONE_SPARSE = dict(num_layers=2, num_decoder_layers=2, num_sparse_encoder_layers=1,
                  num_sparse_decoder_layers=1)
ALL_SPARSE = dict(num_layers=2, num_decoder_layers=2)
UNTIED = dict(tie_word_embeddings=False)

CASES = [
    case("base", "8 experts, sparse step 2, tied embeddings, fp32 safetensors",
         [1, 7, 20], [1, 9, 14], seed=7, config=ONE_SPARSE),
    case("odd_sizes", "sizes that are no multiple of 16: d_model 24, d_ff 40, vocab 97, "
         "3 heads; sparse step 1, untied embeddings",
         [1, 5, 33], [3, 8, 11], seed=10,
         config=dict(ALL_SPARSE, **UNTIED, d_model=24, d_ff=40, vocab_size=97, num_heads=3)),
    case("wide_heads", "num_heads * d_kv (32) differs from d_model (48); d_kv 16, d_ff 16, "
         "vocab 200", [1, 12, 19], [4, 7, 10], seed=8,
         config=dict(ONE_SPARSE, d_model=48, d_kv=16, d_ff=16, num_heads=2, vocab_size=200)),
    case("experts_64", "64 experts, sparse step 2", [1, 11, 40], [2, 10, 16], seed=2,
         config=dict(SMALL, **ONE_SPARSE, num_experts=64) | dict(d_ff=16)),
    case("experts_256_bf16", "256 experts, one sparse block in each stack, bf16 safetensors",
         [1, 9, 18], [2, 7, 10], seed=4, dtype="bfloat16",
         config=dict(SMALL, **ONE_SPARSE, num_experts=256) | dict(d_ff=16)),
    case("step_4", "sparse step 4 in both stacks: 8 encoder layers (sparse 1 and 5), 4 decoder "
         "layers (sparse 1)", [1, 6, 17], [3, 8, 12], seed=8,
         config=dict(SMALL, num_layers=8, num_decoder_layers=4, num_sparse_decoder_layers=1)),
    case("more_encoder_layers", "5 encoder and 2 decoder layers; encoder step 2, decoder step 1",
         [1, 9, 24], [5, 6, 13], seed=8,
         config=dict(SMALL, num_layers=5, num_decoder_layers=2)),
    case("more_decoder_layers", "2 encoder and 5 decoder layers; encoder step 1, decoder step 2",
         [1, 8, 26], [4, 7, 15], seed=1,
         config=dict(SMALL, num_layers=2, num_decoder_layers=5)),
    case("dense_decoder", "experts in the encoder alone (decoder_sparse_step 0); d_ff 96",
         [1, 10, 22], [3, 9, 12], seed=10,
         config=dict(SMALL, **ONE_SPARSE, decoder_sparse_step=0) | dict(d_ff=96)),
    case("router_bias", "router with bias, untied embeddings, encoder and decoder tables that "
         "differ from shared.weight", [1, 10, 21], [2, 8, 12], seed=8, separate_embeddings=True,
         config=dict(SMALL, **ALL_SPARSE, **UNTIED, router_bias=True)),
    case("bf16_sharded", "bf16 checkpoint in safetensors shards with an index, tied embeddings, "
         "4+4 layers", [1, 15, 30], [5, 11, 16], seed=1, dtype="bfloat16", shard="40KB",
         config=dict(d_ff=16)),
    case("bf16_pickle", "bf16 pickled checkpoint, untied embeddings; experts 4 to 7 are twins of "
         "0 to 3, so that probabilities rounded to bf16 tie and the lowest index wins",
         [1, 14, 29], [4, 9, 17], seed=8, dtype="bfloat16", safe=False, twins=True,
         config=dict(SMALL, **ALL_SPARSE, **UNTIED)),
    case("fp16", "fp16 checkpoint; the reference is fp32 with these weights",
         [1, 9, 30], [3, 7, 16], seed=12, dtype="float16", config=dict(ONE_SPARSE, d_ff=16)),
    case("capacity_1", "expert capacity 1: most tokens are dropped", [1, 12, 30], [2, 10, 24],
         seed=8, repeat=True, binds=True, config=dict(SMALL, **ONE_SPARSE, expert_capacity=1)),
    case("capacity_4", "expert capacity 4, sparse step 1, right-padded batch",
         [1, 16, 37, 50], [3, 20, 32, 8], seed=7, repeat=True, padded=True, binds=True,
         config=dict(SMALL, **ALL_SPARSE, expert_capacity=4)),
    case("long", "sources over 128 and over 300 tokens and a target over 113: last relative "
         "buckets; capacity that does not bind", [1, 132, 330], [3, 120, 12], seed=3,
         config=dict(SMALL, **ONE_SPARSE, expert_capacity=512)),
    case("long_capacity_64", "source of 310 tokens, one of them repeated: the released capacity "
         "of 64 binds", [310, 70], [6, 150], seed=14, repeat=True, binds=True,
         config=dict(SMALL, **ONE_SPARSE)),
    case("padded_batch", "right-padded batch of five sequences with attention mask",
         [18, 1, 9, 27, 4], [6, 12, 1, 9, 15], seed=5, padded=True,
         config=dict(ONE_SPARSE, d_model=24, d_ff=16, num_heads=3)),
    case("pickle", "fp32 pytorch_model.bin with all four embedding names",
         [1, 11, 25], [2, 9, 13], seed=1, safe=False, config=dict(SMALL, **ONE_SPARSE)),
    case("pickle_sharded", "fp32 pickle shards with an index, all four embedding names; "
         "config.json without decoder_start_token_id (use the pad id)",
         [1, 13, 23], [3, 6, 11], seed=10, safe=False, shard="30KB", start_in_config=False,
         config=dict(SMALL, **ONE_SPARSE)),
    case("hash_routing", "a table by token id chooses experts with weight 1, no gate",
         [1, 9, 24], [2, 8, 12], seed=3, hash_routing=True, config=dict(SMALL, **ONE_SPARSE)),
    case("safetensors_sharded", "fp32 safetensors shards with an index, untied embeddings",
         [1, 8, 28], [2, 7, 14], seed=6, shard="30KB",
         config=dict(SMALL, **ALL_SPARSE, **UNTIED)),
]
