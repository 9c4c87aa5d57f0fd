#!/usr/bin/env python3
"""Drives `braid serve` on the demo model with the official Python client of OpenAI.

    openai_client_test.py BRAID [TEST ...]

The client is looked for in build/test-venv, where scripts/test-venv puts it, and in the Python that runs this. Without
it the test says that it is skipped.
"""

import asyncio
import json
import os
import sys
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "server"))
import serving

VENV = ROOT / "build" / "test-venv" / "bin" / "python"
try:
    import openai
except ImportError:
    if VENV.exists() and Path(sys.prefix).resolve() != VENV.parents[1].resolve():
        os.execv(VENV, [str(VENV), *sys.argv])
    print("[  SKIPPED ] the Python client of OpenAI is not installed: scripts/test-venv does that")
    sys.exit(0)

BRAID = Path(sys.argv[1]).resolve()
PATIENCE = 120  # seconds; a loaded machine and sanitizers are slow
QUESTION = [{"role": "user", "content": "Who keeps the lamp of the lighthouse burning?"}]
STORY = "One winter night, a restless man called Hugo came to"


class Server(serving.Server):
    def __init__(self, *options):
        super().__init__(BRAID, "--quiet", "-c", "2048", *options, patience=PATIENCE)

    def running(self):
        return sum(slot["is_processing"] for slot in json.loads(self.ask("GET", "/slots")[1]))

    def stop(self):
        with self:
            return self.end()[0], self.log()

    def client(self, **options):
        options = {"api_key": "none", "max_retries": 0, "timeout": PATIENCE, **options}
        return openai.OpenAI(base_url=self.address + "/v1", **options)


class WithServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--embeddings")
        cls.client = cls.server.client()
        cls.model = cls.client.models.list().data[0].id

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        code, said = cls.server.stop()
        assert code == 0, (code, said)

    def chat(self, messages=None, **options):
        options = {"model": self.model, "messages": messages or QUESTION, "temperature": 0, "max_tokens": 60, **options}
        return self.client.chat.completions.create(**options)

    def complete(self, prompt=STORY, **options):
        options = {"model": self.model, "prompt": prompt, "temperature": 0, "max_tokens": 12, **options}
        return self.client.completions.create(**options)

    def refused(self, kind, param, call, **options):
        with self.assertRaises(kind) as caught:
            call(**options)
        self.assertEqual(caught.exception.param, param)
        return caught.exception


class Chat(WithServer):
    def test_models(self):
        models = self.client.models.list().data
        self.assertEqual([m.id for m in models], [self.model])
        self.assertEqual(models[0].owned_by, "braid")
        self.assertEqual(self.client.models.retrieve(self.model).id, self.model)
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("gpt-4o")

    def test_whole(self):
        answer = self.chat()
        choice = answer.choices[0]
        self.assertEqual(choice.finish_reason, "stop")
        self.assertTrue(choice.message.content)
        self.assertTrue(choice.message.reasoning_content)
        self.assertEqual(choice.message.role, "assistant")
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertGreater(answer.usage.completion_tokens_details.reasoning_tokens, 0)
        self.assertTrue(answer.system_fingerprint.startswith("braid-"))

    def test_streamed(self):
        whole = self.chat().choices[0].message
        content, thoughts, usage, reasons = "", "", None, []
        for chunk in self.chat(stream=True, stream_options={"include_usage": True}):
            usage = chunk.usage or usage
            for choice in chunk.choices:
                content += choice.delta.content or ""
                thoughts += getattr(choice.delta, "reasoning_content", None) or ""
                reasons.append(choice.finish_reason)
        self.assertEqual((content, thoughts), (whole.content, whole.reasoning_content))
        self.assertEqual([r for r in reasons if r], ["stop"])
        self.assertGreater(len(reasons), 5)
        self.assertGreater(usage.completion_tokens, 5)

    def test_streamed_by_the_helper(self):
        with self.client.chat.completions.stream(model=self.model, messages=QUESTION, temperature=0) as stream:
            content = "".join(event.delta for event in stream if event.type == "content.delta")
            final = stream.get_final_completion()
        self.assertEqual(content, self.chat(max_tokens=200).choices[0].message.content)
        self.assertEqual(final.choices[0].message.content, content)

    def test_lengths(self):
        self.assertEqual(self.chat(max_tokens=3).usage.completion_tokens, 3)
        answer = self.client.chat.completions.create(model=self.model, messages=QUESTION, max_completion_tokens=4)
        self.assertEqual((answer.usage.completion_tokens, answer.choices[0].finish_reason), (4, "length"))

    def test_stop(self):
        whole = self.chat().choices[0].message.content
        stop = whole[6:9]
        cut = self.chat(stop=[stop, "never there"])
        self.assertEqual(cut.choices[0].message.content, whole[:whole.index(stop)])
        self.assertEqual(cut.choices[0].finish_reason, "stop")
        streamed = "".join(c.choices[0].delta.content or "" for c in self.chat(stop=stop, stream=True))
        self.assertEqual(streamed, whole[:whole.index(stop)])

    def test_banned_texts(self):
        whole = self.chat().choices[0].message.content
        banned = whole[6:14]
        for fields in ({"banned_strings": [banned]},
                       {"banned_regex": [banned[:3] + "." + banned[4:]]},
                       {"banned_regex_case_insensitive": [banned.upper()], "banned_n": -1}):
            answer = self.chat(extra_body=fields)
            content = answer.choices[0].message.content
            self.assertNotIn(banned, content)
            self.assertEqual(content[:4], whole[:4])
            self.assertGreaterEqual(answer.braid["rewinds"]["count"], 1)
            chunks = self.chat(extra_body=fields, stream=True)
            self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks), content)
        self.refused(openai.BadRequestError, "banned_regex[0]", self.chat, extra_body={"banned_regex": ["("]})

    def test_loops_end(self):
        bias = {"5": 1000}
        loop = self.complete(max_tokens=200, logit_bias=bias, extra_body={"loop_guard": 64})
        self.assertEqual((loop.usage.completion_tokens, loop.braid["end"]), (64, "loop"))
        self.assertEqual(loop.choices[0].finish_reason, "length")
        self.assertEqual(self.complete(max_tokens=200, logit_bias=bias).usage.completion_tokens, 200)

    def test_volatile_headers(self):
        def asked(n, **fields):
            head = {"role": "system", "content": f"x-anthropic-billing-header: cch={n}a7;\nYou are brief. " + "Be kind. " * 30}
            return self.chat([head, *QUESTION], max_tokens=2, extra_body=fields).braid

        asked(1)
        again = asked(2)
        self.assertEqual((again["cache"]["missed"], again["cache"]["steadied"]), ("nothing", "x-anthropic-billing-header"))
        self.assertNotEqual(asked(3, keep_volatile=True)["cache"]["missed"], "nothing")

    def test_choices_and_seeds(self):
        def texts(answer):
            return [(c.message.content, getattr(c.message, "reasoning_content", "")) for c in answer.choices]

        wild = {"temperature": 3, "max_tokens": 12, "top_p": 1, "extra_body": {"min_p": 0, "top_k": 0}}
        three = self.chat(n=3, seed=5, **wild)
        self.assertEqual([c.index for c in three.choices], [0, 1, 2])
        self.assertGreater(len(set(texts(three))), 1)
        self.assertEqual(texts(three), texts(self.chat(n=3, seed=5, **wild)))
        self.assertEqual(texts(three)[1:2], texts(self.chat(seed=6, **wild)))

    def test_logprobs(self):
        choice = self.chat(logprobs=True, top_logprobs=4).choices[0]
        tokens = choice.logprobs.content
        self.assertEqual("".join(t.token for t in tokens), choice.message.content)
        for token in tokens:
            self.assertEqual(len(token.top_logprobs), 4)
            self.assertEqual(token.top_logprobs[0].token, token.token)
            self.assertLessEqual(token.logprob, 0)
            self.assertEqual(bytes(token.bytes).decode(), token.token)

    def test_logit_bias(self):
        tokens = self.client.post("/../tokenize", cast_to=object, body={"content": "7"})["tokens"]
        answer = self.chat(logit_bias={str(tokens[0]): 100000}, max_tokens=4)
        self.assertEqual(answer.choices[0].message.reasoning_content, "7777")

    def test_penalties_and_samplers(self):
        plain = self.chat().choices[0].message.content
        fined = self.chat(presence_penalty=2, frequency_penalty=2).choices[0].message.content
        self.assertNotEqual(plain, fined)
        other = {"top_k": 1, "min_p": 0.1, "repetition_penalty": 1.0, "samplers": ["top_k", "temperature"]}
        self.assertEqual(self.chat(temperature=2, extra_body=other).choices[0].message.content, plain)

    def test_thinking(self):
        off = self.chat(extra_body={"chat_template_kwargs": {"enable_thinking": False}}).choices[0].message
        self.assertFalse(hasattr(off, "reasoning_content"))
        self.assertEqual(self.chat(reasoning_effort="none").choices[0].message.content, off.content)
        short = self.chat(extra_body={"thinking_budget": 2}).choices[0].message
        self.assertTrue(self.chat().choices[0].message.reasoning_content.startswith(short.reasoning_content))
        self.assertTrue(short.content)

    def test_all_roles_and_parts(self):
        tool = {"type": "function", "function": {"name": "tide", "parameters": {"type": "object", "properties": {}}}}
        call = {"id": "c1", "type": "function", "function": {"name": "tide", "arguments": "{}"}}
        answer = self.chat([
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "When is"}, {"type": "text", "text": "high tide?"}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "at noon"},
        ], tools=[tool])
        self.assertTrue(answer.choices[0].message.content)
        # What was answered can be sent back as it came.
        again = self.chat([*QUESTION, answer.choices[0].message, {"role": "user", "content": "Thank you"}])
        self.assertTrue(again.choices[0].message.content)

    def test_progress(self):
        chunks = list(self.chat(stream=True, max_tokens=2, extra_body={"return_progress": True}))
        progress = [c.prompt_progress for c in chunks if hasattr(c, "prompt_progress")]
        self.assertTrue(progress)
        self.assertEqual(progress[-1]["processed"], progress[-1]["total"])

    def test_what_is_refused(self):
        bad = openai.BadRequestError
        self.refused(bad, "response_format", self.chat, response_format={"type": "json_object"})
        self.refused(bad, "temperature", self.chat, temperature=-1e7)
        self.refused(bad, "tool_choice", self.chat, tool_choice="required", tools=[])
        self.refused(bad, "surprise", self.chat, extra_body={"surprise": 1})
        self.refused(openai.NotFoundError, "model", self.chat, model="gpt-4o")
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}
        self.refused(bad, "messages[0].content[0]", self.chat, messages=[{"role": "user", "content": [image]}])
        long = self.refused(bad, "messages", self.chat, messages=[{"role": "user", "content": "and " * 5000}])
        self.assertEqual(long.code, "context_length_exceeded")
    def test_embeddings(self):
        answer = self.client.embeddings.create(model=self.model, input=["Who keeps the lamp?", "one two three"])
        self.assertEqual([e.index for e in answer.data], [0, 1])
        vector = answer.data[0].embedding
        self.assertEqual(len(vector), 256)
        self.assertAlmostEqual(sum(x * x for x in vector), 1, places=4)
        plain = self.client.embeddings.create(model=self.model, input="Who keeps the lamp?", encoding_format="float")
        for ours, theirs in zip(plain.data[0].embedding, vector):
            self.assertAlmostEqual(ours, theirs, places=6)
        self.refused(openai.BadRequestError, "dimensions", self.client.embeddings.create, model=self.model, input="a",
                     dimensions=5)


class Conversation(WithServer):
    def test_a_turn_starts_where_the_last_one_ended(self):
        """The demo's template drops thoughts, so what is new are the answer's content and the next question."""
        messages = [{"role": "system", "content": "You live in Tidewell. " * 20}]
        questions = ["Who bakes the bread?", "Who keeps the lamp?", "What is 3 plus 4?", "Who teaches the children?"]
        before = 0
        for turn, question in enumerate(questions):
            messages.append({"role": "user", "content": question})
            answer = self.chat(messages, max_tokens=100)
            messages.append({"role": "assistant", "content": answer.choices[0].message.content})
            cached = answer.usage.prompt_tokens_details.cached_tokens
            if turn:
                self.assertGreaterEqual(cached, before - 8, answer.braid)
            before = answer.usage.prompt_tokens
        # The first message changed: Braid tells where.
        messages[1]["content"] = "Who mends the nets?"
        changed = self.chat(messages[:2], max_tokens=2)
        new = changed.braid["cache"]["first_new"]
        self.assertEqual((new["text"], new["cached_text"]), (" mends", " bakes"))
        self.assertGreater(changed.usage.prompt_tokens_details.cached_tokens, 90)


class Completions(WithServer):
    def test_whole_and_streamed(self):
        whole = self.complete()
        self.assertEqual(whole.object, "text_completion")
        self.assertEqual(whole.usage.completion_tokens, 12)
        self.assertEqual("".join(c.choices[0].text for c in self.complete(stream=True)), whole.choices[0].text)
        self.assertEqual(self.complete(echo=True).choices[0].text, STORY + whole.choices[0].text)

    def test_several_prompts(self):
        ids = self.client.post("/../tokenize", cast_to=object, body={"content": STORY})["tokens"]
        both = self.complete([STORY, "The harbour"], n=2)
        self.assertEqual([c.index for c in both.choices], [0, 1, 2, 3])
        self.assertEqual(both.choices[2].text, self.complete("The harbour").choices[0].text)
        self.assertEqual(self.complete([ids, ids]).choices[1].text, both.choices[0].text)
        self.assertEqual(self.complete(ids).choices[0].text, both.choices[0].text)
        streamed = ["", "", "", ""]
        for chunk in self.complete([STORY, "The harbour"], n=2, stream=True):
            for choice in chunk.choices:
                streamed[choice.index] += choice.text
        self.assertEqual(streamed, [c.text for c in both.choices])

    def test_logprobs_and_best_of(self):
        choice = self.complete(logprobs=3).choices[0]
        self.assertEqual("".join(choice.logprobs.tokens), choice.text)
        self.assertEqual(len(choice.logprobs.top_logprobs[0]), 3)
        self.assertEqual(len(self.complete(best_of=4, n=2, temperature=1, seed=1).choices), 2)
        self.refused(openai.BadRequestError, "suffix", self.complete, suffix="the end")
        self.refused(openai.BadRequestError, "prompt", self.complete, prompt=[1, 99999])


class Many(WithServer):
    def test_side_by_side_each_gives_its_own_answer(self):
        prompts = [f"{STORY} the {place}" for place in ("harbour", "market", "bakery", "mill", "school", "tower")]
        alone = [self.complete(p, max_tokens=40, temperature=1, seed=3).choices[0].text for p in prompts]

        async def ask_all():
            async with openai.AsyncOpenAI(base_url=self.server.address + "/v1", api_key="none", timeout=PATIENCE) as client:
                return await asyncio.gather(*(
                    client.completions.create(model=self.model, prompt=p, max_tokens=40, temperature=1, seed=3)
                    for p in prompts * 3))

        together = [a.choices[0].text for a in asyncio.run(ask_all())]
        self.assertEqual(together, alone * 3)

    def test_a_client_that_goes_ends_its_request(self):
        endless = {"ignore_eos": True}
        stream = self.complete(max_tokens=1900, stream=True, extra_body=endless)
        next(iter(stream))
        self.assertEqual(self.server.running(), 1)
        stream.close()
        deadline = time.monotonic() + 5
        while self.server.running() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(self.server.running(), 0)

    def test_timeouts(self):
        cut = self.complete(max_tokens=1900, extra_body={"ignore_eos": True, "timeout": 0.1})
        self.assertEqual(cut.choices[0].finish_reason, "length")
        self.assertEqual(cut.braid["end"], "deadline")


class Keys(unittest.TestCase):
    def test_keys_are_asked_for_and_shut_down_hands_back(self):
        server = Server("--api-key", "one", "--api-key", "two", "--grace", "0")
        with self.assertRaises(openai.AuthenticationError):
            server.client(api_key="three").models.list()
        client = server.client(api_key="two")
        model = client.models.list().data[0].id
        with self.assertRaises(openai.InternalServerError) as caught:
            client.embeddings.create(model=model, input="a", encoding_format="float")
        self.assertEqual(caught.exception.status_code, 501)

        # What one key's client wrote is nothing to another's.
        def cached(key):
            answer = server.client(api_key=key).completions.create(model=model, prompt=STORY, max_tokens=1)
            return answer.usage.prompt_tokens_details.cached_tokens

        self.assertEqual([cached("two"), cached("one")], [0, 0])
        self.assertGreater(cached("two"), 5)
        ends = []

        def ask():
            for chunk in client.completions.create(model=model, prompt=STORY, stream=True, max_tokens=1900,
                                                   extra_body={"ignore_eos": True}):
                ends.append(chunk)

        thread = threading.Thread(target=ask)
        thread.start()
        while not ends:
            time.sleep(0.01)
        code, _ = server.stop()
        thread.join(PATIENCE)
        self.assertEqual(code, 0)
        self.assertEqual(ends[-1].choices[0].finish_reason, "length")
        self.assertEqual(ends[-1].braid["end"], "shutdown")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=1)
