"""Conversations for make_jinja_vectors.py, in the form that apply_chat_template hands them to a template."""

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
    base = {"tools": None, "documents": None, "add_generation_prompt": True}
    return [{**base, "messages": messages, **more} for messages, more in forms]
