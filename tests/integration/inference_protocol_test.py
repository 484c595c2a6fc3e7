"""Sequence classification by the Open Inference Protocol: golden logits from real processes, and an unmodified client.

The golden model has no tokeniser; what it gives is compared with Hugging Face's values (tests/golden/README.md).
"""

import json
import pathlib
import shutil
import struct
import sys
import tempfile
import unittest

from cluster import SOURCE, Cluster

try:
    import numpy
    import tritonclient.http as triton
except ImportError:
    triton = None

GOLDEN = SOURCE / "tests" / "golden"
TYPES = {"I64": "q", "F32": "f"}


def tensors(path):
    data = path.read_bytes()
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:begin])
    return {name: list(struct.iter_unpack("<" + TYPES[t["dtype"]], data[begin + t["data_offsets"][0]:begin + t["data_offsets"][1]]))
            for name, t in header.items() if name != "__metadata__" and t["dtype"] in TYPES}


class Heads(unittest.TestCase):
    """On one worker and on two, one sequence at a time and in a padded batch: the same logits to the last bit."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="sida-")
        cls.addClassCleanup(folder.cleanup)
        cls.model = pathlib.Path(folder.name) / "model"
        shutil.copytree(GOLDEN / "cases" / "base" / "model", cls.model)
        shutil.copytree(GOLDEN / "heads", cls.model / "heads")
        golden = tensors(GOLDEN / "cases" / "base" / "golden.safetensors")
        cls.sources = {name.split(".")[0]: [v for (v,) in values] for name, values in golden.items() if name.endswith(".input_ids")}
        cls.expected = {name: [v for (v,) in values] for name, values in tensors(GOLDEN / "heads.safetensors").items()}

    @staticmethod
    def infer(cluster, head, ids, mask=None):
        shape = [len(ids), len(ids[0])]
        inputs = [{"name": "input_ids", "datatype": "INT64", "shape": shape, "data": ids}]
        if mask:
            inputs.append({"name": "attention_mask", "datatype": "INT64", "shape": shape, "data": mask})
        answer = cluster.post(f"/v2/models/{head}/infer", {"inputs": inputs, "outputs": [{"name": "logits"}]})
        (output,) = answer["outputs"]
        labels = output["shape"][1]
        return [output["data"][i:i + labels] for i in range(0, len(output["data"]), labels)]

    def test_logits_are_hugging_faces_and_do_not_depend_on_workers_or_batch(self):
        longest = max(len(ids) for ids in self.sources.values())
        padded = [ids + [0] * (longest - len(ids)) for ids in self.sources.values()]
        mask = [[1] * len(ids) + [0] * (longest - len(ids)) for ids in self.sources.values()]
        seen = []
        for workers in (1, 2):
            with Cluster(self.model, workers=workers) as cluster:
                for head in ("plain", "topic"):
                    alone = [self.infer(cluster, head, [ids])[0] for ids in self.sources.values()]
                    self.assertEqual(self.infer(cluster, head, padded, mask), alone)
                    for name, logits in zip(self.sources, alone):
                        for got, wanted in zip(logits, self.expected[f"{name}.{head}"], strict=True):
                            self.assertAlmostEqual(got, wanted, delta=1e-4)
                    seen.append(alone)
        self.assertEqual(seen[:2], seen[2:])

    def test_a_damaged_head_is_named_and_nothing_starts(self):
        damaged = self.model.parent / "damaged"
        shutil.copytree(self.model, damaged)
        (damaged / "heads" / "topic" / "model.safetensors").write_bytes(b"\x10")
        with self.assertRaisesRegex(AssertionError, "heads/topic/model.safetensors"):
            Cluster(damaged, workers=1).__enter__()

    @unittest.skipUnless(triton, "the Python package tritonclient[http] is not installed")
    def test_an_unmodified_client_classifies(self):
        with Cluster(self.model, workers=2) as cluster:
            client = triton.InferenceServerClient(f"127.0.0.1:{cluster.port}")
            self.assertTrue(client.is_server_live() and client.is_server_ready() and client.is_model_ready("topic"))
            self.assertEqual(client.get_server_metadata()["name"], "sida")
            self.assertEqual(client.get_model_metadata("topic")["outputs"][0]["shape"], [-1, 5])
            for name, ids in self.sources.items():
                tensor = triton.InferInput("input_ids", [1, len(ids)], "INT64")
                tensor.set_data_from_numpy(numpy.array([ids]), binary_data=False)
                wanted = [triton.InferRequestedOutput("logits", binary_data=False), triton.InferRequestedOutput("label", binary_data=False)]
                answer = client.infer("topic", [tensor], outputs=wanted, request_id=name)
                self.assertEqual(answer.get_response()["id"], name)
                numpy.testing.assert_allclose(answer.as_numpy("logits")[0], self.expected[f"{name}.topic"], atol=1e-4)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
