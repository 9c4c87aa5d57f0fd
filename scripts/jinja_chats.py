"""Conversations for make_jinja_vectors.py, in the form that apply_chat_template hands them to a template."""
import json

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": " Looks up the weather. ",
    "parameters": {"type": "object", "required": ["city"], "properties": {
        "city": {"type": "string", "description": "Name of the city, like Zürich"},
        "days": {"type": ["integer", "null"], "minimum": 1, "maximum": 18446744073709551615, "default": 3},
        "unit": {"type": "string", "enum": ["C", "F"], "description": "C or F"}}}}}
SEARCH = {"type": "function", "function": {
    "name": "search", "description": "Finds \"pages\" <now> & then.\nSecond line.", "strict": True,
    "parameters": {"type": "object", "properties": {
        "query": {"type": "string"}, "limits": {"type": "object", "properties": {"n": {"type": "number", "minimum": 0.5}}},
        "tags": {"type": "array", "items": {"type": "string"}}}, "required": ["query"], "additionalProperties": False}}}
BARE = {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}


def system(text):
    return {"role": "system", "content": text}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def tool(text):
    return {"role": "tool", "content": text}


def call(name, **arguments):
    return {"type": "function", "id": "call_1", "function": {"name": name, "arguments": arguments}}


def with_texts(messages):
    """The same with the arguments of tool calls as JSON texts, as servers get them."""
    def text(call):
        if "function" in call:
            return {**call, "function": text(call["function"])}
        return {**call, "arguments": json.dumps(call["arguments"], ensure_ascii=False)}
    return [{**m, "tool_calls": [text(c) for c in m["tool_calls"]]} if m.get("tool_calls") else m for m in messages]


def with_parts(messages):
    """The same with every text as a list of one part."""
    def parts(content):
        return [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [{**m, "content": parts(m["content"])} for m in messages]


def with_ids(messages):
    """The same with what ties results to calls: an id of nine characters, a name."""
    out, calls = [], []
    for i, m in enumerate(messages):
        if m.get("tool_calls"):
            calls = [{**c, "id": f"call{i:02}{j:03}"} for j, c in enumerate(m["tool_calls"])]
            m = {**m, "tool_calls": calls}
        elif m["role"] == "tool" and calls:
            call, calls = calls[0], calls[1:]
            m = {**m, "tool_call_id": call["id"], "name": call.get("function", call)["name"]}
        out.append(m)
    return out


def with_other_roles(messages):
    """The same with the names that some templates have for the roles."""
    names = {"system": "developer", "tool": "function"}
    return [{**m, "role": names.get(m["role"], m["role"])} for m in messages]


def chats():
    forms = [
        ([user("Hello")], {}),
        ([user("Hello")], {"add_generation_prompt": False}),
        ([system("You are terse."), user("Hello")], {}),
        ([system("  padded  "), user("\n hi \n")], {"enable_thinking": False}),
        ([user("Hello"), assistant("Hi there."), user("How are you?")], {"enable_thinking": True}),
        ([user("1+1?"), assistant("<think>\nAdding.\n</think>\n\n2"), user("2+2?")], {}),
        ([user("1+1?"), assistant("2", reasoning_content="Adding.\n"), user("2+2?"), assistant("4", reasoning_content=" again ")],
         {"add_generation_prompt": False}),
        ([user("Wetter in Zürich? 😀")], {"tools": [WEATHER]}),
        ([system("Use tools — sparingly."), user("Weather?")], {"tools": [WEATHER, SEARCH, BARE]}),
        ([user("Weather?"), assistant("", tool_calls=[call("get_weather", city="Zürich", days=3)]), tool("sunny ☀")],
         {"tools": [WEATHER]}),
        ([user("Weather?"), assistant("I look.", reasoning_content="Which city?", tool_calls=[
            call("get_weather", city="Rom", unit="C"), call("search", query="a < b && c", limits={"n": 0.5, "m": None}, tags=["x", "ü"])]),
          tool("{\"t\": 21.5}"), tool("<b>none</b>")], {"tools": [WEATHER, SEARCH]}),
        ([user("Weather?"), assistant(None, tool_calls=[call("now")]), tool("noon"), assistant("It is noon."), user("Thanks")],
         {"tools": [BARE], "enable_thinking": False}),
        ([user("a"), assistant("b", tool_calls=[{"name": "f", "arguments": {"flag": True, "none": None, "real": 1.0, "big": 1e16, "s": ""}}]),
          tool("ok"), assistant("done")], {"add_generation_prompt": False}),
        ([user(""), assistant(""), user("")], {}),
        ([user([{"type": "text", "text": "one "}, {"type": "text", "text": "two"}])], {}),
        ([system([{"type": "text", "text": "Be kind."}]), user([{"type": "text", "text": "Hm?"}])], {}),
        ([user([{"type": "image"}, {"type": "text", "text": "What is it?"}])], {}),
        ([user("q"), assistant("<think>\nx\n</think>\n\ny", tool_calls=[call("search", query="line 1\nline 2")]),
          user("<tool_response>\nfrom a user\n</tool_response>"), assistant("z", reasoning_content="w")], {"add_generation_prompt": False}),
        ([user("日本語 العربية עברית हिन्दी \u200b\u2028 \x1c end")], {"tools": []}),
        ([user("x"), assistant("no end of thought </think> here"), user("y"), assistant("<think>only")], {}),
        ([user("first"), system("late")], {}),
        ([assistant("nobody asked")], {}),
        ([], {}),
        ([user("x"), {"role": "critic", "content": "y"}], {}),
        ([user("Think."), assistant("a", reasoning_content="r1"), user("More."), assistant("b", reasoning_content="r2"), tool("t"), tool("u")],
         {"preserve_thinking": True, "add_generation_prompt": True}),
    ]
    turns = [
        system("Du hilfst. 🌍"), user("Weather in Oslo and Łódź?"),
        assistant("", reasoning_content="Two cities.", tool_calls=[call("get_weather", city="Oslo"), call("get_weather", city="Łódź", days=2)]),
        tool("{\"t\": -3}"), tool("{\"t\": 1, \"sky\": \"☁️\"}"),
        assistant("Now the news.", reasoning_content="\nNext.\n\n", tool_calls=[call("search", query="\"news\" — Łódź\n\\ 新聞", tags=[])]),
        tool("[]"), assistant("Cold.", reasoning_content="Enough."), user("And tomorrow?"),
        assistant("I ask.", reasoning_content="Again.", tool_calls=[call("get_weather", city="Oslo", days=1), call("now")]), tool("snow"), tool("noon")]
    tools = {"tools": [WEATHER, SEARCH, BARE]}
    forms += [
        (turns, tools),
        (turns, {**tools, "enable_thinking": True, "preserve_thinking": True}),
        (turns, {**tools, "enable_thinking": False}),
        (turns + [assistant("Snow at noon.", reasoning_content="So.")], {**tools, "add_generation_prompt": False}),
        (turns, {}),
        (with_texts(turns), tools),
        (with_texts(turns)[:3], {**tools, "add_generation_prompt": False}),
        (with_parts(turns), {**tools, "enable_thinking": True}),
        (with_ids(with_texts(turns)), tools),
        ([user("x"), assistant("", tool_calls=[{"type": "function", "function": {"name": "now", "arguments": ""}}]), tool([])], {"tools": [BARE]}),
        ([user("x"), assistant("y", tool_calls=[{"type": "function", "function": {"name": "now", "arguments": "{\"open"}}])], {}),
        ([user([{"type": "text", "text": "Zwei "}, {"type": "image_url", "image_url": {"url": "u"}}, {"type": "text", "text": "Bilder 🖼"}, {"type": "image"}]),
          assistant([{"type": "text", "text": "<think>\nJa.\n</think>\n\nGut."}]), user([])], {"add_vision_id": True}),
        ([system("only this")], tools),
        ([system(""), user("q"), assistant("a", reasoning_content="")], {"add_generation_prompt": False, "enable_thinking": True}),
    ]
    base = {"tools": None, "documents": None, "add_generation_prompt": True}
    return [{**base, "messages": messages, **more} for messages, more in forms]
