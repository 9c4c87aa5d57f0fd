"""How a conversation becomes text: the Python twin of chat_template.jinja, which is what the GGUF carries.

A message is {"role": "system"|"user"|"assistant"|"tool", "content": text}; an assistant's may have "think" and "calls",
a list of (function, {parameter: text}). Earlier thoughts are dropped: only answers after the last user message keep
theirs, as the template does at run time, so that training sees what the engine will show.
"""

import json

END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CONTROL = [END, START, STOP]
MARKS = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]

TOOLS_HEAD = "# Tools\n\nYou can call these functions:\n\n<tools>"
TOOLS_TAIL = """
</tools>

To call a function, answer with:

<tool_call>
<function=NAME>
<parameter=PARAMETER>
VALUE
</parameter>
</function>
</tool_call>"""


def tool_json(tool):
    """{"name", "description", "parameters": {name: (type, description)}} -> the JSON that APIs hand over."""
    properties = {name: {"type": kind, "description": text} for name, (kind, text) in tool["parameters"].items()}
    return {
        "type": "function",
        "function": {
            "name": tool["name"],
            "description": tool["description"],
            "parameters": {"type": "object", "properties": properties, "required": list(properties)},
        },
    }


def call_text(function, arguments):
    parts = "".join(f"<parameter={name}>\n{value}\n</parameter>\n" for name, value in arguments.items())
    return f"<tool_call>\n<function={function}>\n{parts}</function>\n</tool_call>"


def render(messages, tools=(), open_answer=False, thinking=True):
    """The text of a conversation. `open_answer`: end where the model has to go on. The end mark is not included."""
    out = []
    system = messages[0]["content"] if messages[0]["role"] == "system" else ""
    if tools:
        lines = "".join("\n" + json.dumps(tool_json(t), ensure_ascii=False) for t in tools)
        system = TOOLS_HEAD + lines + TOOLS_TAIL + ("\n\n" + system if system else "")
    if system:
        out.append(f"{START}system\n{system}{STOP}\n")
    last_user = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=-1)
    for i, m in enumerate(messages):
        if m["role"] == "user":
            out.append(f"{START}user\n{m['content']}{STOP}\n")
        elif m["role"] == "tool":
            first = messages[i - 1]["role"] != "tool"
            last = i + 1 == len(messages) or messages[i + 1]["role"] != "tool"
            out.append(
                (f"{START}user" if first else "")
                + f"\n<tool_response>\n{m['content']}\n</tool_response>"
                + (f"{STOP}\n" if last else "")
            )
        elif m["role"] == "assistant":
            think = f"<think>\n{m.get('think', '')}\n</think>\n\n" if i > last_user else ""
            calls = "\n".join(call_text(*call) for call in m.get("calls", ()))
            gap = "\n\n" if calls and m["content"] else ""
            out.append(f"{START}assistant\n{think}{m['content']}{gap}{calls}{STOP}\n")
    if open_answer:
        out.append(f"{START}assistant\n<think>\n" + ("" if thinking else "\n</think>\n\n"))
    return "".join(out)


def jinja_messages(messages):
    """The same messages as an API has them: reasoning_content, tool_calls."""
    out = []
    for m in messages:
        api = {"role": m["role"], "content": m["content"]}
        if "think" in m:
            api["reasoning_content"] = m["think"]
        if m.get("calls"):
            api["tool_calls"] = [{"type": "function", "function": {"name": f, "arguments": a}} for f, a in m["calls"]]
        out.append(api)
    return out
