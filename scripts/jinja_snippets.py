"""Short templates for make_jinja_vectors.py: one a line, \N{PILCROW SIGN} for a new line, \N{SYMBOL FOR CARRIAGE RETURN} for a carriage return."""

# What the names in them stand for.
CONTEXT = {
    "n": 7, "neg": -7, "big": 18446744073709551615, "f": 2.5, "t": True, "nothing": None, "s": "Hello, World", "e": "",
    "u": "Zürich 😀 ǅ ß İstanbul ΣΑΣ ﬁn", "sp": " \t\u00a0x y\u2003\n", "lines": "a\nb\r\nc\u2028d\n", "html": "<a href=\"x\">&'</a>",
    "l": [3, 1, 2], "ls": ["b", "a", "C"], "mixed": [1, "a", None, 2.0, True, [1], {"k": "v"}], "empty": [], "d": {"b": 1, "a": 2, "C": 3},
    "nested": {"x": {"y": [{"z": 1}, {"z": 2}]}, "items": "an item", "_u": "under", "get": 5}, "ed": {},
    "users": [{"name": "Ann", "age": 30, "city": "Rom"}, {"name": "bob", "age": 25, "city": "rom"}, {"name": "Cid", "age": 30, "city": "Ulm"},
              {"name": "Dee", "age": 4}],
    "tree": [{"v": 1, "kids": [{"v": 2, "kids": [{"v": 3, "kids": []}]}, {"v": 4, "kids": []}]}], "bos_token": "<s>",
    "floats": [0.1, 1e16, 1e15, 123456789.123, 1e-5, 0.0001, 1e300, 5e-324, -0.0, 100.0, 1.5e-7],
    "ctrl": "a\"b\\c\x00\x1f\x7f\u0085\u200b\u00e9\U0001f600\ue000'",
}

SNIPPETS = r"""
plain text
{{ 1 }}{{ 1.0 }}{{ 'a' }}{{ "b" }}{{ true }}{{ False }}{{ none }}{{ None }}{{ [] }}{{ () }}{{ {} }}
{{ 1_000 }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 1e3 }} {{ 1.5e-7 }} {{ 1_0.2_5 }} {{ 00 }} {{ 9223372036854775807 }}
{{ 'a' 'b' "c" }} {{ 'it\'s' }} {{ "tab\there\x41\u00e9\U0001F600\101\q" }} {{ 'é\é' }} {{ 'a\¶b' }}
{{ 'a\
{{ floats }} {{ floats | join(' ') }} {{ floats | tojson }}
{{ 0.1 + 0.2 }} {{ 1 / 3 }} {{ 2 ** 0.5 }} {{ 1e22 }} {{ 1e21 + 1 }} {{ 3.0 * 2 }} {{ 7 // 2.0 }} {{ -7 // 2.0 }} {{ -7.5 % 2 }} {{ 1e400 }} {{ -1e400 }}
{{ n + 1 }} {{ n - 10 }} {{ n * n }} {{ n / 2 }} {{ n // 2 }} {{ n % 4 }} {{ n ** 2 }} {{ neg // 2 }} {{ neg % 3 }} {{ neg / 2 }} {{ 2 ** -1 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }}
{{ n / 0 }}
{{ n // 0 }}
{{ n % 0 }}
{{ 0.0 ** -1 }}
{{ true + true }} {{ -true }} {{ +true }} {{ true * 3 }} {{ 'ab' * true }} {{ 3 * 'ab' }} {{ 'ab' * -1 }} {{ [1, 2] * 2 }} {{ (1,) * 3 }}
{{ big }} {{ big is number }} {{ big is integer }} {{ big == big }} {{ big > 5 }} {{ [big] | tojson }} {{ big == n }}
{{ 'a' + 'b' }} {{ [1] + [2] }} {{ (1,) + (2,) }} {{ 'a' ~ 1 ~ none ~ true ~ [1] ~ 1.0 }}
{{ 'a' + 1 }}
{{ [1] + (2,) }}
{{ none + 1 }}
{{ 'a' - 'b' }}
{{ -'a' }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 == true }} {{ 'a' < 'b' }} {{ 'B' < 'a' }} {{ [1, 2] < [1, 3] }} {{ (1,) < (1, 2) }} {{ 'é' > 'z' }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ [1] < (2,) }}
{{ [1, 2] == [1, 2.0] }} {{ [1] == (1,) }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }} {{ none == none }} {{ none == false }} {{ '1' == 1 }} {{ undefined1 == undefined2 }} {{ d == d }}
{{ 1 in l }} {{ 9 in l }} {{ 'ell' in s }} {{ 'a' in d }} {{ 'a' not in d }} {{ 1 not in l }} {{ 3 in range(5) }} {{ 2.0 in l }} {{ '' in '' }} {{ none in mixed }} {{ 'k' in d.keys() }} {{ 2 in d.values() }} {{ ('a', 2) in d.items() }}
{{ 1 in s }}
{{ 1 in 5 }}
{{ not t }} {{ not e }} {{ not not 1 }} {{ t and 'x' }} {{ e and 'x' }} {{ e or 'y' }} {{ 0 or none or [] }} {{ 1 and 2 or 3 }}
{{ 'yes' if t else 'no' }} {{ 'yes' if e }} {{ 'a' if false else 'b' if false else 'c' }} {{ ('x' if false) is defined }} {{ 1 if 1 }}
{{ ('x' if false) + 'a' }}
{{ l[0] }} {{ l[-1] }} {{ l[5] }} {{ l['a'] }} {{ s[0] }} {{ u[7] }} {{ u[-3] }} {{ d['a'] }} {{ d.a }} {{ d['zz'] }} {{ d.zz }} {{ (1, 2)[1] }} {{ l.0 }} {{ 'abc'[true] }} {{ range(5)[2] }} {{ mixed[6].k }}
{{ nested.x.y[1].z }} {{ nested['x']['y'][0]['z'] }} {{ nested.items is callable }}
{{ nested['items'] }} {{ nested._u }} {{ nested['get'] }} {{ nested.get('get') }} {{ nested.get('q', 'dflt') }} {{ nested.get('q') }}
{{ l[1:] }} {{ l[:-1] }} {{ l[::-1] }} {{ l[::2] }} {{ l[5:] }} {{ l[-2:9] }} {{ s[1:4] }} {{ s[::-1] }} {{ u[5:9] }} {{ u[::-2] }} {{ (1, 2, 3)[1:] }} {{ range(10)[2:8:3] }} {{ range(10)[::-3] }} {{ l[none:2] }} {{ s[:] }} {{ l[3:1] }} {{ l[2:0:-1] }} {{ s[100:] }} {{ s[-100:2] }}
{{ l[::0] }}
{{ d[1:] }}
{{ nothing[1:] }}
{{ l['a':] }}
{{ missing }}|{{ missing | default('x') }}|{{ missing is defined }}|{{ d.nope }}|{{ d.nope is undefined }}|{{ missing ~ 'a' }}|{% for x in missing %}x{% endfor %}|{{ missing | length }}|{{ missing | list }}|{{ not missing }}|{{ missing or 'or' }}|{{ missing in [1] }}
{{ missing.attr }}
{{ missing['a'] }}
{{ d.nope.deeper }}
{{ missing + 1 }}
{{ 'a' + missing }}
{{ missing < 1 }}
{{ missing() }}
{{ missing | tojson }}
{{ missing | int }}
{{ missing | abs }}
{{ -missing }}
{{ missing ** 2 }}
{{ missing[1:] }}
{{ missing | upper }}|{{ missing | trim }}|{{ missing | replace('a', 'b') }}|{{ missing | join }}|{{ missing | first }}|{{ missing | last }}|{{ missing | sum }}|{{ missing | sort }}|{{ missing | string | length }}|{{ missing | unique | list }}|{{ missing | items | list }}|{{ missing | map('upper') | list }}|{{ missing | truncate(3) }}|{{ missing | wordcount }}|{{ missing | safe }}|{{ missing | batch(2) | list }}|{{ missing | center(4) }}|
{{ missing | dictsort }}
{{ missing | indent }}
{{ missing | round }}
{{ missing | attr('x') }}
{{ missing is string }} {{ missing is mapping }} {{ missing is iterable }} {{ missing is sequence }} {{ missing is none }} {{ missing is number }} {{ missing is callable }} {{ missing is lower }} {{ missing is in [1] }} {{ missing is eq missing2 }} {{ [missing] }}
{{ missing is odd }}
{{ s.upper() }} {{ s.lower() }} {{ s.title() }} {{ s.capitalize() }} {{ s.swapcase() }} {{ u.upper() }} {{ u.lower() }} {{ u.title() }} {{ u.capitalize() }} {{ u.swapcase() }} {{ "they're bill's".title() }}
{{ sp.strip() }}|{{ sp.lstrip() }}|{{ sp.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcab'.lstrip('ab') }}|{{ 'abcab'.rstrip('ba') }}|{{ 'éaé'.strip('é') }}|{{ ' x '.strip(none) }}|{{ ''.strip() }}
{{ s.split() }} {{ s.split(', ') }} {{ ' a  b '.split() }} {{ ' a  b '.split(' ') }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ' a b  c '.rsplit(none, 1) }} {{ ' a b  c '.split(none, 1) }} {{ 'aXXbXXXc'.split('XX') }} {{ 'aXXXb'.rsplit('XX') }} {{ ''.split() }} {{ ''.split(',') }} {{ 'a b'.split(sep='a', maxsplit=1) }}
{{ s.split('') }}
{{ lines.splitlines() }} {{ lines.splitlines(true) }} {{ ''.splitlines() }} {{ 'a\n\nb'.splitlines() }}
{{ s.startswith('Hell') }} {{ s.startswith('ell', 1) }} {{ s.endswith('World') }} {{ s.endswith(('x', 'ld')) }} {{ s.startswith(()) }} {{ s.startswith('') }} {{ s.startswith('', 99) }} {{ s.endswith('lo', 0, 5) }}
{{ s.startswith(1) }}
{{ s.replace('l', 'L') }} {{ s.replace('l', 'L', 1) }} {{ 'aaa'.replace('', '-') }} {{ 'aaa'.replace('', '-', 2) }} {{ 'é'.replace('', 'x') }} {{ 'aaaa'.replace('aa', 'b') }} {{ s.replace('zz', 'q') }} {{ 'abc'.replace('b', '', -1) }}
{{ s.replace('a') }}
{{ s.replace(1, 2) }}
{{ s.find('o') }} {{ s.find('o', 5) }} {{ s.rfind('o') }} {{ s.find('zz') }} {{ u.find('😀') }} {{ s.index('W') }} {{ s.rindex('l') }} {{ s.count('l') }} {{ s.count('l', 4) }} {{ 'aaa'.count('aa') }} {{ 'abc'.count('') }} {{ 'abc'.find('', 2) }} {{ 'abc'.find('', 4) }} {{ 'abc'.rfind('') }} {{ s.find('o', -4, -1) }}
{{ s.index('zz') }}
{{ ', '.join(ls) }} {{ ''.join([]) }} {{ '-'.join('abc') }} {{ ','.join(d) }} {{ ','.join(d.keys()) }}
{{ ','.join([1, 2]) }}
{{ 'abc'.isalpha() }} {{ 'ab1'.isalnum() }} {{ '12'.isdigit() }} {{ '²'.isdigit() }} {{ '²'.isdecimal() }} {{ '½'.isnumeric() }} {{ ' \t'.isspace() }} {{ ''.isalpha() }} {{ 'aB'.islower() }} {{ 'ab1'.islower() }} {{ 'AB'.isupper() }} {{ 'Ab Cd'.istitle() }} {{ 'ª'.islower() }} {{ 'é'.isascii() }} {{ 'a_1'.isidentifier() }} {{ '1a'.isidentifier() }} {{ 'a\n'.isprintable() }} {{ '1'.isupper() }} {{ '٣'.isdigit() }}
{{ 'a'.ljust(4, '.') }} {{ 'a'.rjust(4) }}| {{ 'ab'.center(7, '*') }} {{ 'abc'.center(6) }}| {{ '-42'.zfill(6) }} {{ '42'.zfill(1) }} {{ 'a\tb'.expandtabs(4) }} {{ 'x'.ljust(0) }}
{{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.py'.removesuffix('.py') }} {{ 'x'.removesuffix('') }} {{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'abc'.partition('=') }} {{ 'abc'.rpartition('=') }} {{ 'Straße'.casefold() if false else '' }}
{{ '{} {}'.format(1, 'b') }} {{ '{1}{0}'.format('a', 'b') }} {{ '{x}'.format(x=1) }} {{ '{0.a} {0[b]} {1[0]}'.format(d, l) }} {{ '{{}}'.format() }} {{ '{!r}'.format('a') }} {{ '{:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd') }} {{ '{:05d} {:+d} {:,} {:x} {:#x} {:b} {:.2f} {:.1%} {:e} {:g}'.format(42, 5, 1234567, 255, 255, 5, 3.14159, 0.256, 12345.678, 0.00001) }} {{ '{:{}}'.format('a', 4) }}|{{ '{:.2}'.format('abcdef') }} {{ '{}'.format(none) }} {{ '{:5}|{:<5}|{:05.1f}'.format(42, 42, 2.25) }}
{{ '{'.format(1) }}
{{ '{}'.format() }}
{{ '{x}'.format(1) }}
{{ '{:d}'.format('a') }}
{{ '%s and %s' % ('a', 1) }} {{ '%d%%' % 5 }} {{ '%5.2f|%-5s|%05d|%x|%X|%o|%e|%g|%c|%r|%+d|% d' % (3.14159, 'ab', 42, 255, 255, 8, 12345.678, 0.0001, 'z', 'q', 5, 5) }} {{ '%(a)s-%(b)d' % d }} {{ '%s' % [1, 2] }} {{ '%s' % none }} {{ '%.2s|%10s|%*d' % ('abc', 'r', 5, 42) }} {{ '%s' % d }} {{ '%i' % 3.9 }}
{{ '%s %s' % ('a',) }}
{{ '%s' % (1, 2) }}
{{ '%d' % 'a' }}
{{ '%y' % 1 }}
{{ 'abc' % 1 }}
{{ d.keys() }} {{ d.values() }} {{ d.items() }} {{ d.keys() | list }} {{ d.items() | list }} {{ d.values() | sum }} {{ d.copy() }} {{ d.keys() | length }} {{ d.keys() is sequence }} {{ d.items() is iterable }} {{ d | list }} {{ d | length }} {{ d.items() | first }} {{ d.keys() | last }}
{{ d.pop('a') }}
{{ d.update({'z': 1}) }}
{{ d.clear() }}
{{ d.setdefault('q', 1) }}
{{ l.append(4) }}
{{ l.sort() }}
{{ l.pop() }}
{{ l.extend([1]) }}
{% set _ = l.append(4) %}
{{ l.pop is defined }} {{ l.append }} {{ l.count(1) }} {{ l.index(2) }} {{ (1, 2, 1).count(1) }} {{ (1, 2).index(2) }} {{ l.copy() }} {{ [1, 2, 1].index(1, 1) }}
{{ l.index(9) }}
{{ ''.__class__ }}|{{ l.__len__ is defined }}|{{ d.__class__ | length }}
{{ ''.__class__.__mro__ }}
{{ s.nothere }}|{{ s.nothere is defined }}|{{ n.real }}|{{ f.is_integer() }}|{{ n.bit_length() }}|{{ nothing.x }}|{{ true.real }}
{{ s() }}
{{ d() }}
{{ {'a': 1, 1: 'b', none: 2, (1, 2): 3, true: 'x', 2.5: 4} }} {{ {1: 'a', 1.0: 'b', true: 'c'} }} {{ {'a': 1,} }} {{ [1, 2,] }} {{ {'x': {'y': []}} }}
{{ {[]: 1} }}
{{ {{}: 1} }}
{{ ctrl }}|{{ [ctrl] }}|{{ ctrl | tojson }}|{{ ctrl | tojson(ensure_ascii=true) }}
{{ ["it's", 'say "hi"', 'both \' and "', 'tab\t', 'nl\n', '\\', 'é', '\x00', '\u200b', '\U0001F600', '\x7f', '\xa0'] }}
{{ mixed }} {{ mixed | tojson }} {{ mixed | string }} {{ nested }} {{ users[0] }}
{{ d | tojson }} {{ d | tojson(sort_keys=true) }} {{ d | tojson(indent=2) }} {{ d | tojson(indent=0) }} {{ d | tojson(indent='--') }} {{ d | tojson(separators=(',', ':')) }} {{ nested | tojson(indent=4) }} {{ d | tojson(indent=2, separators=(', ', ' = ')) }} {{ [] | tojson(indent=2) }} {{ {} | tojson(indent=2) }} {{ [[], {}] | tojson(indent=1) }} {{ html | tojson }} {{ s | tojson }} {{ (1, 2) | tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }} {{ u | tojson(ensure_ascii=true) }} {{ true | tojson }} {{ none | tojson }} {{ 1e400 | tojson }}
{{ d.items() | tojson }}
{{ {(1, 2): 3} | tojson }}
{{ range(3) | tojson }}
{{ l | map('string') | tojson }}
{{ neg | abs }} {{ -2.5 | abs }} {{ true | abs }}
{{ 'a' | abs }}
{{ s | capitalize }} {{ 'hELLO' | capitalize }} {{ u | upper }} {{ u | lower }} {{ u | title }} {{ 'foo-bar (baz) [qux] {a} <b>' | title }} {{ 'a' | center(5) }}| {{ 1 | upper }} {{ none | lower }} {{ 'x' | center }}|
{{ missing | default('x') }} {{ e | default('x') }} {{ e | default('x', true) }} {{ none | d('y') }} {{ none | d('y', boolean=true) }} {{ missing | default }}| {{ 0 | default(5, true) }} {{ missing | default(default_value=3) }}
{{ d | dictsort }} {{ d | dictsort(true) }} {{ d | dictsort(false, 'value') }} {{ d | dictsort(reverse=true) }} {{ d | dictsort(by='value', reverse=true) }}
{{ d | dictsort(by='x') }}
{{ {1: 2, 'a': 3} | dictsort }}
{{ html | escape }} {{ html | e }} {{ html | forceescape }} {{ html | e | e }} {{ html | safe }} {{ html | safe | escape }} {{ 5 | e }} {{ [html] | e }} {{ (html | e) + '<' }} {{ '<' + (html | safe) }} {{ (html | safe) ~ '<' }} {{ (html | e) is escaped }} {{ html is escaped }} {{ (html | safe).upper() + '&' }} {{ '%s' % (html | safe) }} {{ (('<%s>' | safe) % html) }} {{ [html | safe] }} {{ (html | safe) | tojson }} {{ ('&' | safe) * 2 + '&' }} {{ ', ' | safe | replace(',', '<') }} {{ (', ' | safe).join(['<', 'a']) }} {{ ('a<b' | safe).split('<')[0] + '<' }} {{ ('<b>' | safe).replace('b', '<') }} {{ (html | safe)[0:2] + '>' }} {{ '{}<' | safe }} {{ ('{}' | safe).format('<') }} {{ ('a' | safe) | string + '<' }} {{ (html | safe | trim) + '<' }}
{{ l | first }} {{ l | last }} {{ s | first }} {{ s | last }} {{ d | first }} {{ empty | first }}| {{ empty | last }}| {{ (empty | first) is defined }} {{ range(3) | last }} {{ d | last }}
{{ 5 | first }}
{{ l | map('string') | last }}
{{ '3.7' | int }} {{ '12' | int }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ 3.9 | int }} {{ -3.9 | int }} {{ '0x1f' | int(0, 16) }} {{ '101' | int(base=2) }} {{ none | int }} {{ true | int }} {{ ' 42 ' | int }} {{ '1_000' | int }} {{ '1e3' | int }} {{ [] | int }} {{ '' | int }} {{ '-5' | int }} {{ '+5' | int }} {{ 'inf' | int(7) if false else '' }} {{ '0x1f' | int(base=0) }} {{ '1__0' | int }} {{ 'nan' | int(3) }}
{{ 1e400 | int }}
{{ '3.5' | float }} {{ 'x' | float }} {{ 'x' | float(1.5) }} {{ 3 | float }} {{ none | float }} {{ ' 1e3 ' | float }} {{ 'inf' | float }} {{ '-Infinity' | float }} {{ 'nan' | float }} {{ '.5' | float }} {{ '5.' | float }} {{ '1_0.5' | float }} {{ '0x1' | float }}
{{ '%s-%d' | format('a', 3) }} {{ '%(x)s' | format(x=1) }} {{ 'plain' | format }} {{ 5 | format }}
{{ '%s' | format }}
{% for g in users | groupby('city') %}{{ g.grouper }}:{{ g.list | map(attribute='name') | join(',') }};{% endfor %}
{% for c, us in users | groupby('city', default='?') %}{{ c }}={{ us | length }} {% endfor %}{{ users | groupby('age', case_sensitive=true) | map('first') | list }}{{ users[:1] | groupby('age') }}
{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\n\nb' | indent(2, blank=true) }}|{{ 'a\nb' | indent('> ') }}|{{ 'a\nb' | indent(width=1, first=true) }}|{{ '' | indent }}|{{ 'a\n' | indent }}|
{{ 5 | indent }}
{{ l | join }} {{ l | join(', ') }} {{ users | join('|', attribute='name') }} {{ d | join(',') }} {{ s | join('.') }} {{ mixed | join('/') }} {{ l | join(d='-') }} {{ l | join(1) }}
{{ 5 | join }}
{{ l | length }} {{ s | length }} {{ u | length }} {{ d | count }} {{ '' | length }} {{ range(10) | length }} {{ (1, 2) | length }}
{{ 5 | length }}
{{ none | length }}
{{ l | map('string') | length }}
{{ l | map('string') | list }} {{ users | map(attribute='name') | list }} {{ users | map(attribute='city', default='none') | list }} {{ users | map(attribute='city') | list }} {{ ls | map('upper') | join }} {{ nested.x.y | map(attribute='z') | list }} {{ ls | map('replace', 'a', 'b') | list }} {{ [[1, 2], [3]] | map('join', '-') | list }} {{ [[1, 2]] | map(attribute=1) | list }} {{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }} {{ none | map('upper') | list }} {{ [' a '] | map('trim') | list }} {{ ['1'] | map('int', default=3) | list }}
{{ l | map('nofilter') | list }}
{{ l | map | list }}
{{ l | map(attribute='x', foo=1) | list }}
{{ l | min }} {{ l | max }} {{ ls | min }} {{ ls | max(case_sensitive=true) }} {{ users | min(attribute='age') }} {{ users | max(attribute='age') }} {{ empty | max }}| {{ s | max }} {{ [1, 1.0, true] | max }}
{{ mixed | max }}
{{ range(6) | select('odd') | list }} {{ range(6) | reject('odd') | list }} {{ mixed | select | list }} {{ mixed | reject | list }} {{ range(6) | select('divisibleby', 3) | list }} {{ range(6) | select('>', 3) | list }} {{ mixed | select('string') | list }} {{ ls | select('in', ['a', 'b']) | list }} {{ ls | select('equalto', 'a') | list }} {{ none | select | list }}
{{ l | select('notest') | list }}
{{ users | selectattr('city') | map(attribute='name') | list }} {{ users | selectattr('age', 'equalto', 30) | map(attribute='name') | list }} {{ users | rejectattr('city', 'defined') | map(attribute='name') | list }} {{ users | selectattr('age', '>=', 25) | list | length }} {{ users | selectattr('name', 'in', ['Ann', 'Cid']) | map(attribute='age') | sum }} {{ users | rejectattr('age', 'gt', 10) | first }}
{{ users | selectattr | list }}
{% set m = 5 | select('odd') %}ok
{% set m = 5 | map('string') %}{{ m | list }}
{% set g = ['a', 'b'] | map('upper') %}{{ g | list }}{{ g | list }}{{ g | first is defined }}
{% set g = range(5) | select %}{{ g | first }}{{ g | first }}{% for x in g %}{{ x }}{{ loop.length }}{% endfor %}
{{ s | replace('l', 'L') }} {{ s | replace('l', 'L', 1) }} {{ 5 | replace(5, 6) }} {{ s | replace(old='H', new='J') }} {{ none | replace('o', '0') }}
{{ l | reverse | list }} {{ s | reverse }} {{ u | reverse }} {{ d | reverse | list }} {{ range(3) | reverse | list }} {{ (1, 2) | reverse | first }} {{ l | map('string') | reverse }}
{{ 5 | reverse }}
{{ 42.55 | round }} {{ 42.55 | round(1) }} {{ 42.55 | round(1, 'floor') }} {{ 42.55 | round(1, 'ceil') }} {{ 42 | round }} {{ 2.5 | round }} {{ 3.5 | round }} {{ -2.5 | round }} {{ 1234 | round(-2) }} {{ 1250 | round(-2) }} {{ 1350 | round(-2) }} {{ 2.675 | round(2) }} {{ 0.5 | round | int }} {{ 7 | round(method='ceil') }} {{ 1e300 | round(2) }} {{ true | round }} {{ 12345.678 | round(-2) }}
{{ 1 | round(method='x') }}
{{ 'a' | round }}
{{ range(7) | slice(3) | list }} {{ range(7) | slice(3, 'x') | list }} {{ range(7) | batch(3) | list }} {{ range(7) | batch(3, 'x') | list }} {{ empty | batch(2) | list }} {{ range(2) | slice(4) | list }}
{{ range(7) | slice(0) | list }}
{{ l | sort }} {{ l | sort(reverse=true) }} {{ ls | sort }} {{ ls | sort(case_sensitive=true) }} {{ users | sort(attribute='age') | map(attribute='name') | list }} {{ users | sort(attribute='age,name', reverse=true) | map(attribute='name') | list }} {{ 'hello' | sort }} {{ d | sort }} {{ [[2, 1], [1, 2]] | sort }} {{ [true, 0, 0.5] | sort }} {{ [none] | sort }}
{{ mixed | sort }}
{{ users | sort(attribute='city') | list }}
{{ l | sum }} {{ users | sum(attribute='age') }} {{ l | sum(start=10) }} {{ empty | sum }} {{ floats[:2] | sum }} {{ [[1], [2]] | sum(start=[]) }}
{{ ls | sum }}
{{ 'a b c' | title }} {{ "they're" | title }} {{ sp | trim }}| {{ 'xxaxx' | trim('x') }} {{ '\x1c a \x1f' | trim }}| {{ '\u200b a ' | trim | length }} {{ 5 | trim }}
{{ 'foo bar baz qux' | truncate(9) }} {{ 'foo bar baz qux' | truncate(9, true) }} {{ 'foo bar baz qux' | truncate(11) }} {{ 'foo bar baz qux' | truncate(11, false, '...', 0) }} {{ 'foobarbazqux' | truncate(6, leeway=0) }} {{ u | truncate(8, true, '…', 0) }} {{ 'short' | truncate }}
{{ 'foo bar' | truncate(2) }}
{{ ['a', 'A', 'b', 'a'] | unique | list }} {{ ['a', 'A'] | unique(true) | list }} {{ [1, 1.0, true, 2] | unique | list }} {{ users | unique(attribute='age') | map(attribute='name') | list }} {{ empty | unique | list }}
{{ [[], []] | unique | list }}
{{ 'a b/ü?&=+~' | urlencode }} {{ {'a b': 'c/d', 'e': 1} | urlencode }} {{ [('a', 'ü')] | urlencode }} {{ 5 | urlencode }}
{{ 'foo bar, baz-qux' | wordcount }} {{ "it's" | wordcount }} {{ '' | wordcount }} {{ u | wordcount }}
{{ {'class': 'a b', 'id': none, 'x': 1, 'q': '<"'} | xmlattr }}|{{ {'a': 1} | xmlattr(false) }}|{{ {} | xmlattr }}|
{{ {'a b': 1} | xmlattr }}
{{ 1 | filesizeformat }} {{ 999 | filesizeformat }} {{ 1000 | filesizeformat }} {{ 1234567 | filesizeformat }} {{ 1234567 | filesizeformat(true) }} {{ 1e25 | filesizeformat }} {{ '2048' | filesizeformat(binary=true) }}
{{ d | items | list }} {% for k, v in d | items %}{{ k }}{{ v }}{% endfor %} {{ d | attr('keys') is defined }} {{ d | attr('a') }}|{{ s | attr('upper') is callable }} {{ l | string }} {{ none | string }} {{ s | list }} {{ u[:3] | list }}
{{ l | items | list }}
{{ 5 | list }}
{{ n is odd }} {{ n is even }} {{ n is divisibleby 7 }} {{ n is divisibleby(2) }} {{ 2.0 is even }} {{ t is true }} {{ t is false }} {{ 1 is true }} {{ t is boolean }} {{ n is integer }} {{ t is integer }} {{ f is float }} {{ n is number }} {{ t is number }} {{ s is string }} {{ d is mapping }} {{ l is mapping }} {{ l is sequence }} {{ s is sequence }} {{ d is sequence }} {{ s is iterable }} {{ n is iterable }} {{ none is none }} {{ s is not none }} {{ s is lower }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ range is callable }} {{ s.upper is callable }} {{ s is callable }} {{ 'upper' is filter }} {{ 'nope' is filter }} {{ 'odd' is test }} {{ 'nope' is test }}
{{ n is eq 7 }} {{ n is ne 7 }} {{ n is gt 5 }} {{ n is ge 7 }} {{ n is lt(5) }} {{ n is le 7 }} {{ n is equalto 7 }} {{ n is greaterthan 1 }} {{ n is lessthan 1 }} {{ n is sameas n }} {{ l is sameas l }} {{ none is sameas none }} {{ 1 is in l }} {{ 1 is not in l }} {{ 'a' is in d }} {{ n is not odd and t }} {{ not n is odd }} {{ n is defined and n }} {{ (1 is odd) if t else 2 }}
{{ 1 is odd if t else 2 }}
{{ s is odd }}
{{ n is odd is even }}
{{ n is notest }}
{{ s | nofilter }}
{% if false %}{{ s | nofilter }}{% endif %}ok
{% if true %}{{ s | nofilter }}{% endif %}
{% if false %}{% for x in l %}{{ x | nofilter }}{% endfor %}{% endif %}ok
{{ (s | nofilter) if false else 'fine' }}
{{ (s | nofilter) if true else 'fine' }}
{% macro m() %}{{ s | nofilter }}{% endmacro %}ok
{% for x in l %}{{ x }}{{ ',' if not loop.last }}{% endfor %}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}{{ loop is defined }}
{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {{ loop.previtem is defined }}{{ loop.nextitem is defined }};{% endfor %}
{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }} {{ loop.cycle('a', 'b') }} {% endfor %}
{% for x in l %}{{ loop.cycle() }}{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}{% for c in 'aé😀' %}[{{ c }}]{% endfor %}
{% for a, b in [[1, 2, 3]] %}{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for x in none %}{% endfor %}
{% for x in empty %}a{% else %}none{% endfor %}{% for x in l %}a{% else %}none{% endfor %}
{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% else %}none{% endfor %}
{% for x in [1] %}{% break %}{% else %}else after break{% endfor %}{% for x in [1, 2] %}{% continue %}{% else %}else after continue{% endfor %}
{% for x in range(6) %}{% if x is odd %}{% continue %}{% endif %}{{ x }}{% endfor %}
{% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}|{% endfor %}
{% for x in range(10) if x is even %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ loop.last }} {% endfor %}
{% for x in range(3) if x > 5 %}x{% else %}nothing{% endfor %}
{% set ns = namespace(n=0) %}{% for x in range(6) if ns.n < 3 %}{% set ns.n = ns.n + 1 %}{{ x }}{% endfor %}
{% for x in tree recursive %}{{ x.v }}{{ loop.depth }}({{ loop(x.kids) }}){% endfor %}
{% for x in l %}{{ loop([1]) }}{% endfor %}
{% for x in l %}{{ loop }}{% endfor %}
{% for x in l recursive %}{{ x }}{% else %}e{% endfor %}{% for x in [[1, []], [2, [[3, []]]]] recursive %}{{ x[0] }}{{ loop(x[1]) if x[1] }}{% endfor %}
{% break %}
{% for x in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}
{% for loop in l %}{% endfor %}
{% for x in l %}{% set loop = 1 %}{% endfor %}
{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}
{% for i in [1, 2] %}{% if i == 1 %}{% set q = 'set' %}{% endif %}{{ q }}|{% endfor %}{{ q is defined }}
{% set bos_token = 'x' %}{{ bos_token }}{% for i in [1] %}{{ bos_token }}{% endfor %}
{% for i in [1] %}{{ bos_token }}{% endfor %}{% set bos_token = 'x' %}{{ bos_token }}
{{ bos_token }}{% for i in [1] %}{{ bos_token }}{% endfor %}{% set bos_token = 'x' %}{{ bos_token }}
{% for i in [1, 2] %}{% set bos_token = 'x' ~ i %}{{ bos_token }}{% endfor %}{{ bos_token }}
{% macro m() %}[{{ bos_token }}]{% endmacro %}{{ m() }}{% set bos_token = 1 %}{{ m() }}
{% if t %}{% set bos_token = 'if' %}{% endif %}{% for i in [1] %}{{ bos_token }}{% endfor %}{{ bos_token }}
{% if e %}{% set bos_token = 'if' %}{% endif %}{% for i in [1] %}{{ bos_token }}{% endfor %}{{ bos_token }}
{% if e %}{% elif t %}{% set bos_token = 'elif' %}{% else %}{% set q = 1 %}{% endif %}{{ bos_token }}{{ q }}{% set q = 2 %}{{ q }}
{% set bos_token %}{{ bos_token }}!{% endset %}{{ bos_token }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a, b = b, a %}{{ a }}{{ b }}{% set (c, d2) = [3, 4] %}{{ c }}{{ d2 }}{% set t1 = 1, 2 %}{{ t1 }}{% set one = 1, %}{{ one }}
{% set a, b = 1 %}
{% set a, b = [1, 2, 3] %}
{% set x %}block {{ n }}{% endset %}{{ x }}{{ x | length }}{% set y | upper %}abc{{ x }}{% endset %}{{ y }}{% set z | replace('a', 'b') | trim %} aa {% endset %}[{{ z }}]
{% set ns = namespace(a=1, b='x') %}{{ ns.a }}{{ ns.b }}{% set ns.a = 5 %}{{ ns.a }}{{ ns['a'] }}{{ ns.zz }}{{ ns.zz is defined }}{% set ns.new = [1] %}{{ ns.new }}{{ ns }}
{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{% set ns.x, ns.y = 1, 2 %}{{ ns.x }}{{ ns.y }}{% set ns.blk %}txt{% endset %}{{ ns.blk }}
{% set ns = namespace() %}{% set ns.me = ns %}{{ ns.me.me is sameas ns }}
{% set ns = namespace() %}{% set ns._x = 1 %}{{ ns._x }}
{{ namespace(_x=1) }}
{% set d.x = 1 %}
{% set missing.x = 1 %}
{% set l[0] = 1 %}
{% set 'a' = 1 %}
{% set true = 1 %}
{% set ns = namespace(1) %}
{% macro m(a, b=2, c='x') %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(1, c='y') }} {{ m(b=5, a=0) }} {{ m() }}
{% macro m(a) %}{{ a is defined }}{{ a }}{% endmacro %}{{ m() }}|{{ m(none) }}
{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{% endmacro %}{{ m(1, b=2) }}
{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}
{% macro m(a) %}{{ a.x }}{% endmacro %}{{ m() }}
{% macro m(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}{{ m(1) }}{{ m.name }}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}{{ m }}
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}
{% macro fact(n) %}{{ 1 if n <= 1 else n * (fact(n - 1) | int) }}{% endmacro %}{{ fact(5) }}
{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}body {{ n }}{% endcall %}
{% macro m(x) %}[{{ caller(x, 2) }}]{% endmacro %}{% call(a, b=1) m(5) %}{{ a }}{{ b }}{% endcall %}
{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}
{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}
{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}
{% call s.upper() %}{% endcall %}
{% call s %}{% endcall %}
{% macro inner() %}<{{ caller() }}>{% endmacro %}{% macro outer() %}{% call inner() %}o{% endcall %}{{ caller() }}{% endmacro %}{% call outer() %}c{% endcall %}
{% macro a() %}{% macro b() %}B{% endmacro %}A{{ b() }}{% endmacro %}{{ a() }}{{ b is defined }}
{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}{{ m is defined }}
{% set x = 'g' %}{% macro m() %}{{ x }}{% set x = 'l' %}{{ x }}{% endmacro %}{{ m() }}{{ x }}
{% macro m(x) %}{% if x > 0 %}{{ x }}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(3) }}
{% macro m(a, a) %}{% endmacro %}
{% macro m(a=1, b) %}{% endmacro %}
{% macro m(*args) %}{% endmacro %}
{{ [1, 2].index(*[2]) }} {{ '{}{}'.format(*['a', 'b']) }} {{ '{x}'.format(**{'x': 1}) }} {{ dict(**{'a': 1}) }} {% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(**{'b': 1, 'a': 2}) }}{{ m(1, **{'b': 2}) }}
{{ m(a=1, a=2) }}
{% filter upper %}abc {{ s }}{% endfilter %} {% filter replace('a', 'b') | trim %} aaa {% endfilter %}|{% filter trim %}{% for x in l %} {{ x }} {% endfor %}{% endfilter %}|
{% for x in l %}{% filter upper %}a{% if x == 1 %}{% break %}{% endif %}{% endfilter %}{% endfor %}
{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}{% set a = 9 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}
{% raw %}{{ not }} {% this %} {# either #}{% endraw %}|{%- raw -%}  x {%- endraw -%}  |
{% raw %}open
{# comment #}a{#- c -#} b {#+ c +#} c {# multi¶line #}¶d
{# open
a¶{% if true %}¶b¶{% endif %}¶c
  {% if true %}¶  b¶  {% endif %}¶c
a  {%- if true -%}  ¶ b ¶ {%- endif -%}  ¶ c
  {%+ if true %}b{%+ endif +%}¶c
  {{ 1 }}¶  {{- 2 -}}  ¶  {{ 3 }}
a¶¶{% set x = 1 %}¶¶b{# c #}¶¶d
{% if true -%}¶   a¶{%- endif %}¶¶
trailing newline¶
two trailing newlines¶¶
a␍¶b␍c¶{% if t %}␍¶x{% endif %}
{{ 'a␍¶b' }}
{%if t%}a{%endif%}{{n}}{%-if t-%} b {%-endif-%}
  {# c #}  x¶  {# c #}¶y
a{% if t %} {% endif %}b   {% if t %}¶{% endif %}   c
¶  {%- set x = 1 %}¶  {{- x }}
text{% set x = 1 %}  ¶  text
 {% raw %} ¶ x {% endraw %}¶y
{% if n == 7 %}a{% elif n == 8 %}b{% else %}c{% endif %}{% if e %}a{% elif t %}b{% else %}c{% endif %}{% if e %}a{% elif e %}b{% else %}c{% endif %}{% if n > 5 and n < 10 or false %}d{% endif %}{% if 1, %}tuple{% endif %}
{% if t: %}colon{% endif %}
{% print 'x', 1 %}
{% generation %}gen {{ n }}{% set q = 1 %}{% endgeneration %}{{ q is defined }}
{% generation %}
{% if t %}
{% endif %}
{% endfor %}
{% if t %}{% endfor %}
{% for x in l %}{% endif %}
{% unknown %}
{% if %}{% endif %}
{{ }}
{{ 1 2 }}
{{ (1 }}
{{ 1) }}
{{ [1, 2) }}
{{ 'open }}
{{ a b }}
{{ 1 + }}
{{ .a }}
{{ a. }}
{{ a..b }}
{{ a! }}
{{ a ? b : c }}
{{ a
{% set x = 1
{{ f(a b) }}
{{ s | }}
{{ s is }}
{{ x if }}
{{ for }}
{{ not }}
{{ {1} }}
{{ {'a'} }}
{{ 1 if else 2 }}
{{ "\x4" }}
{{ "\u12" }}
{{ l[1, 2] }}
{{ {(1, 2): 'tuple key'}[1, 2] }}
{% include 'x' %}
{% if false %}{% include 'x' %}{% endif %}ok
{% import 'x' as y %}
{% extends 'x' %}
{% do l.append(1) %}
{% trans %}x{% endtrans %}
{% set x = range(5) %}{{ x }} {{ x | list }} {{ range(2, 8, 3) | list }} {{ range(5, 0, -2) | list }} {{ range(0) | list }} {{ x == range(5) }} {{ x[1:3] }} {{ range(1, 7)[::2] }} {{ 4 in x }} {{ x.start }}{{ x.stop }}{{ x.step }} {{ x.index(3) }} {{ x.count(9) }}
{{ range(100001) }}
{{ range() }}
{{ range('a') }}
{{ range(1, 2, 0) }}
{{ range(1.5) }}
{{ dict(a=1, b=2) }} {{ dict([('a', 1)]) }} {{ dict({'a': 1}, b=2) }} {{ dict() }} {{ dict.fromkeys(['a', 'b'], 0) }}
{{ dict(1) }}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set _ = c.reset() %}{{ c.current }}
{% set j = joiner(', ') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}{% set j2 = joiner() %}{{ j2() }}{{ j2() }}
{{ cycler() }}
{{ raise_exception('boom') }}
{{ raise_exception() }}
{% if false %}{{ raise_exception('no') }}{% endif %}ok
{{ strftime_now('%Y-%m-%d %H:%M:%S %d %b %Y %B %A %a %j %y %p %I %%') }} {{ strftime_now('no directives') }} {{ strftime_now is defined }}
{{ s.upper().lower().split(', ')[0].title() | reverse | upper | list | join('-') }}
{{ s | upper | lower ~ 'x' }} {{ 1 + 2 | string | length }} {{ -1 | abs }} {{ not 1 | default(0) }} {{ 2 * 3 % 4 }} {{ 1 - 1 - 1 }} {{ 2 - -2 }} {{ 'a' ~ 1 + '1' }} {{ 1 ~ 2 * 3 }} {{ (1, 2) | length }} {{ [1, 2] | first + 1 }} {{ 'a' in 'abc' and 'b' not in 'x' }} {{ 1 == 1 and 2 != 3 }} {{ (not true) == false }} {{ l[-1] ** 2 }} {{ n.__add__ is defined }} {{ (s)[0] }} {{ (l)[1:][0] }} {{ ('%s' % 'a')[0] }} {{ {'a': [1, {'b': 2}]}['a'][1].b }} {{ [[1, 2], [3]][0][1] }} {{ 'x'.join(['a', 'b']).upper() }} {{ s | length > 3 }} {{ s | length - 1 }}
{{ 9223372036854775807 - 1 }} {{ 4611686018427387904 * 1 }} {{ -9223372036854775807 - 1 }} {{ 2 ** 62 }}
{{ loop }}|{{ varargs }}|{{ caller }}
{{ self }}|{{ self.x }}|{{ self['x'] }}|{{ self.x is defined }}|{{ self is defined }}|{{ 'y' if self else 'n' }}|{{ [self] }}|{{ self == self }}{{ self is iterable }}{{ self is sequence }}{{ self is callable }}{{ self is mapping }}{{ self is string }}
{{ self.x.y }}
{{ self | tojson }}
{{ self | length }}
{{ self | list }}
{{ self() }}
{{ self + 1 }}
{{ self['a'] }}{{ self[0] }}|{{ self | string }}|{{ self ~ 'x' }}|{{ self | default('none') }}|{{ {self: 1} | length }}|{{ (self | attr('x')) is defined }}
{% for x in self %}{% endfor %}
{% set self.x = 1 %}
{% set self.x = 1 %}{{ self }}
{% set self = 1 %}{{ self }}
{{ self }}{% set self = 1 %}{{ self }}{% for i in [1] %}{{ self }}{% endfor %}
{% for self in l %}{{ self }}{% endfor %}{{ self is defined }}
{% for i in l %}{{ i if loop.first }}{% set self = i %}{{ self }}{% endfor %}{{ self is defined }}
{% for i in l %}{{ self.x }}{% set self = i %}{{ self }}{% endfor %}{{ self }}
{% macro m(self) %}{{ self }}{% endmacro %}{{ m(1) }}{{ self is defined }}
{% macro m() %}{{ self }}{% endmacro %}{{ m() }}
{% macro m() %}{% set self = 2 %}{{ self }}{% endmacro %}{{ m() }}{{ self is defined }}
{% if t %}{% set self = 1 %}{% endif %}{{ self }}
{% if e %}{% set self = 1 %}{% else %}{{ self is defined }}{% endif %}{{ self is defined }}
{% filter replace('T', self is defined) %}{% set self = 'T' %}{{ self }}{% endfilter %}{{ self is defined }}
{% with self = 1 %}{{ self }}{% endwith %}{{ self is defined }}
{% with a = self is defined, self = 1 %}{{ a }}{{ self }}{% endwith %}{{ self is defined }}
{% set q = self is defined %}{{ q }}{% set self %}{{ self is defined }}{% endset %}{{ self }}
{% set self = self %}{{ self }}
{% for i in [1] %}{{ self }}{% endfor %}{% set self = 1 %}{{ self }}{% for i in [1] %}{{ self }}{% endfor %}
{% macro m() %}{{ self }}{% endmacro %}{{ m() }}{% set self = 1 %}{{ m() }}
{% if e %}{{ self }}{% endif %}{% set self = 1 %}{{ self }}
{% call(self) m2(1) %}{% endcall %}
{{ users | sort(attribute='age,name') | map(attribute='name') | list }} {{ users | sort(true, attribute='age,name') | map(attribute='name') | list }} {{ users[:3] | sort(attribute='city,age') | map(attribute='name') | list }} {{ users[:3] | sort(false, true, 'city,age') | map(attribute='name') | list }}
{{ users | sort(attribute='city,name') }}
{{ true.x }}{{ 1 .real }}{{ none.foo }}{{ l.foo }}|{{ 1[0] }}|{{ none[0] }}|{{ none['a'] }}|{{ l[none] }}|{{ d[none] }}|{{ d[[1]] }}|{{ s['upper'] is callable }}|{{ d['keys'] is callable }}|{{ l[1.0] }}|
{{ [] is sameas [] }} {{ () == () }} {{ [none, true] == [none, 1] }} {{ 1.0 is integer }} {{ 1.0 is number }} {{ d is iterable }} {{ range(3) is iterable }} {{ range(3) is sequence }} {{ l | map('string') is iterable }} {{ (l | map('string')) is sequence }} {{ namespace() is mapping }} {{ namespace() is iterable }}
{{ ['a', 'b'][false] }} {{ {'true': 1}.true }} {{ {'for': 1}.for }} {{ {'if': 1}['if'] }} {{ {'a-b': 1}['a-b'] }} {{ {'x': none}.x is none }} {{ {'x': none}.x is defined }} {{ {'x': none}.get('x', 1) }} {{ {'x': none}.y | default('q') }}
{% set x = {'a': 1} %}{% set x = dict(x, b=2) %}{{ x }}{% set parts = [] %}{% for i in range(3) %}{% set parts = parts + [i] %}{% endfor %}{{ parts }}{% set ns = namespace(parts=[]) %}{% for i in range(3) %}{% set ns.parts = ns.parts + [i] %}{% endfor %}{{ ns.parts }}
{% set content = '<think>\nhm\n</think>\n\nanswer' %}{{ content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') }}|{{ content.split('</think>')[-1].lstrip('\n') }}|{{ '</think>' in content }}|{{ (content.split('</think>') | last).strip() }}
"""


def snippets():
    for line in SNIPPETS.strip("\n").split("\n"):
        yield line.replace("\N{PILCROW SIGN}", "\n").replace("\N{SYMBOL FOR CARRIAGE RETURN}", "\r")
