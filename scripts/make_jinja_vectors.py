"""Makes tests/data/jinja/*.json: templates and what jinja2 renders from them, as Hugging Face sets jinja2 up.

    pip install jinja2 && python3 scripts/make_jinja_vectors.py tests/data/jinja

snippets.json holds the short templates of jinja_snippets.py, features.json the one of features.jinja, chats.json the
templates in templates/ on the conversations of jinja_chats.py. Where rendering fails the result is the error's name.
The clock of strftime_now stands still. Expects jinja2 3.1.6; 3.1.2 and later give the same but for a few error cases.
"""
import argparse
import datetime
import json
import pathlib

import jinja2
import jinja2.ext
import jinja2.sandbox
import jinja2.utils

import jinja_chats
import jinja_snippets

NOW = datetime.datetime(2026, 9, 5, 14, 7, 9)


class Generation(jinja2.ext.Extension):
    """The tag around what the assistant said. Its text stays what it is."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("inside"), [], [], body).set_lineno(line)

    def inside(self, caller):
        return caller()


class DictType:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


class Namespace(jinja2.utils.Namespace):
    """Takes no names that begin with an underscore."""

    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        attributes = dict(*args, **kwargs)
        for name in attributes:
            Namespace.check(name)
        jinja2.utils.Namespace.__init__(self, attributes)

    def __setitem__(self, name, value):
        Namespace.check(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def check(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(name)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = lambda x, ensure_ascii=False, indent=None, separators=None, sort_keys=False: json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    env.globals.update(raise_exception=raise_exception, strftime_now=NOW.strftime, dict=DictType(), namespace=Namespace)
    return env


def render(env, template, context):
    """{"output": text} or {"error": name of the exception}."""
    try:
        return {"output": env.from_string(template).render(**context)}
    except Exception as error:  # whatever a template can raise
        return {"error": type(error).__name__}


def write(path, head, cases):
    rows = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases]
    heads = [f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in head.items()]
    path.write_text("{" + ",\n".join(heads + ['"cases": [\n' + ",\n".join(rows) + "\n]"]) + "}\n")
    print(f"{path}: {len(cases)} cases, {sum('error' in case for case in cases)} of them errors")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where the templates are, and the results go")
    folder = parser.parse_args().folder
    env = environment()
    context = jinja_snippets.CONTEXT
    write(folder / "snippets.json", {"context": context},
          [{"template": t, **render(env, t, context)} for t in jinja_snippets.snippets()])
    context = json.loads((folder / "features-context.json").read_text())
    write(folder / "features.json", {"context": context}, [render(env, (folder / "features.jinja").read_text(), context)])
    chats = jinja_chats.chats()
    cases = []
    for path in sorted((folder / "templates").glob("*.jinja")):
        template = path.read_text()
        cases += [{"template": path.name, "chat": i, **render(env, template, c)} for i, c in enumerate(chats)]
    write(folder / "chats.json", {"chats": chats}, cases)


if __name__ == "__main__":
    main()
