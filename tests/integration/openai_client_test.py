"""The unmodified `openai` Python package against a cluster with the demo model."""

import sys
import unittest

from cluster import SOURCE, Cluster

try:
    import openai
except ImportError:
    openai = None

DEMO = SOURCE / "models" / "demo"
PROMPT = "topic: a large ship that carries goods across the sea"


@unittest.skipUnless(openai, "the Python package openai is not installed")
class OpenAiClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(DEMO, workers=2, predictor=DEMO / "predictor").__enter__()
        cls.addClassCleanup(cls.cluster.__exit__)
        cls.client = openai.OpenAI(base_url=f"http://127.0.0.1:{cls.cluster.port}/v1", api_key="none", max_retries=0)
        cls.addClassCleanup(cls.client.close)

    def complete(self, **fields):
        return self.client.completions.create(**{"model": "demo", "prompt": PROMPT, "temperature": 0, **fields})

    def test_it_completes(self):
        answer = self.complete(max_tokens=8)
        self.assertEqual((answer.object, answer.model), ("text_completion", "demo"))
        self.assertTrue(answer.choices[0].text)
        self.assertIn(answer.choices[0].finish_reason, ("stop", "length"))
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertRegex(answer._request_id, r"^req-[0-9a-f]{16}$")

    def test_it_lists_the_model(self):
        self.assertEqual([model.id for model in self.client.models.list()], ["demo"])
        self.assertEqual(self.client.models.retrieve("demo").id, "demo")

    def test_it_streams_the_same_text(self):
        whole = self.complete(max_tokens=12)
        chunks = list(self.complete(max_tokens=12, stream=True, stream_options={"include_usage": True}))
        self.assertEqual("".join(choice.text for chunk in chunks for choice in chunk.choices), whole.choices[0].text)
        self.assertEqual(chunks[-1].usage, whole.usage)
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-2].choices[0].finish_reason, whole.choices[0].finish_reason)
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)

    def test_it_sends_batches_of_text_and_of_ids(self):
        prompts = [PROMPT, "topic: to walk slowly"]
        together = self.complete(prompt=prompts, n=2, max_tokens=6)
        self.assertEqual([choice.index for choice in together.choices], [0, 1, 2, 3])
        alone = [self.complete(prompt=prompt, max_tokens=6).choices[0].text for prompt in prompts]
        self.assertEqual([choice.text for choice in together.choices], [alone[0], alone[0], alone[1], alone[1]])
        ids = self.client.post("/../tokenize", body={"prompt": PROMPT}, cast_to=object)["tokens"]
        self.assertEqual(self.complete(prompt=[ids], max_tokens=6).choices[0].text, alone[0])

    def test_a_stop_string_ends_the_text_before_it(self):
        prompt = "In the beginning God <extra_id_0> the heaven and the <extra_id_1>."
        whole = self.complete(prompt=prompt, max_tokens=12).choices[0].text
        stop = whole[len(whole) // 2:][:2]
        stopped = self.complete(prompt=prompt, max_tokens=12, stop=[stop]).choices[0]
        self.assertEqual((stopped.text, stopped.finish_reason), (whole[:whole.index(stop)], "stop"))
        streamed = self.complete(prompt=prompt, max_tokens=12, stop=stop, stream=True)
        self.assertEqual("".join(chunk.choices[0].text for chunk in streamed), stopped.text)

    def test_logprobs_come_for_each_token(self):
        logprobs = self.complete(max_tokens=4, logprobs=3).choices[0].logprobs
        self.assertEqual(len(logprobs.tokens), len(logprobs.token_logprobs))
        for token, logprob, top in zip(logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs):
            self.assertEqual(len(top), 3)
            self.assertEqual(top[token], logprob)  # Greedy: the best of them.
            self.assertEqual(max(top.values()), logprob)
        self.assertEqual(logprobs.text_offset[0], 0)

    def test_equal_seeds_give_equal_samples(self):
        samples = [self.complete(temperature=1.5, seed=seed, max_tokens=8, extra_body={"ignore_eos": True}).choices[0].text
                   for seed in (3, 3, 4)]
        self.assertEqual(samples[0], samples[1])
        self.assertNotEqual(samples[0], samples[2])

    def test_echo_puts_the_prompt_before_the_answer(self):
        plain = self.complete(max_tokens=4).choices[0].text
        self.assertEqual(self.complete(max_tokens=4, echo=True).choices[0].text, PROMPT + plain)
        streamed = self.complete(max_tokens=4, echo=True, stream=True)
        self.assertEqual("".join(chunk.choices[0].text for chunk in streamed), PROMPT + plain)

    def test_extensions_come_through(self):
        answer = self.complete(extra_body={"routing": "predicted", "return_routing": True})
        self.assertEqual(answer.choices[0].routing["mode"], "predicted")

    def test_errors_are_the_clients_own_exceptions(self):
        with self.assertRaises(openai.NotFoundError) as missing:
            self.complete(model="gpt")
        self.assertEqual(missing.exception.code, "model_not_found")
        with self.assertRaises(openai.BadRequestError) as wrong:
            self.complete(max_tokens=-1)
        self.assertEqual((wrong.exception.code, wrong.exception.param), ("invalid_argument", "max_tokens"))
        with self.assertRaises(openai.BadRequestError) as unsupported:
            self.complete(suffix="x")
        self.assertEqual(unsupported.exception.code, "unsupported")
        with self.assertRaises(openai.NotFoundError):
            self.client.chat.completions.create(model="demo", messages=[{"role": "user", "content": "hello"}])


@unittest.skipUnless(openai, "the Python package openai is not installed")
class OpenAiClientOfAFailingCluster(unittest.TestCase):
    def test_a_server_that_is_not_ready_is_an_internal_server_error_to_retry(self):
        with Cluster(DEMO, workers=1) as cluster:
            cluster.exchange(cluster.admin_port, "POST", "/workers/worker-0/drain", {})
            cluster.wait_until(lambda: cluster.get("/health")[0] == 503, "the router is not ready")
            client = openai.OpenAI(base_url=f"http://127.0.0.1:{cluster.port}/v1", api_key="none", max_retries=0, timeout=60)
            with self.assertRaises(openai.InternalServerError) as failed:
                client.completions.create(model="demo", prompt=PROMPT, max_tokens=4)
            self.assertEqual(failed.exception.status_code, 503)
            self.assertEqual(failed.exception.response.headers["retry-after"], "1")
            client.close()


@unittest.skipUnless(openai, "the Python package openai is not installed")
class OpenAiClientOfALockedCluster(unittest.TestCase):
    def test_a_key_opens_it_and_a_wrong_one_is_an_authentication_error(self):
        with Cluster(DEMO, workers=1, api_key="sesame") as cluster:
            def client(key):
                made = openai.OpenAI(base_url=f"http://127.0.0.1:{cluster.port}/v1", api_key=key, max_retries=0)
                self.addCleanup(made.close)
                return made

            self.assertTrue(client("sesame").completions.create(model="demo", prompt=PROMPT, max_tokens=4).choices)
            for ask in (lambda c: c.completions.create(model="demo", prompt=PROMPT, max_tokens=4),
                        lambda c: c.completions.create(model="demo", prompt=PROMPT, max_tokens=4, stream=True),
                        lambda c: c.models.list()):
                with self.assertRaises(openai.AuthenticationError) as refused:
                    ask(client("wrong"))
                self.assertEqual((refused.exception.status_code, refused.exception.code), (401, "invalid_api_key"))


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
