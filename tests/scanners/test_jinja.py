"""Templates: what reaches out of a sandbox is found, ordinary chat templates pass without a word."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighlock.scanners import Severity
from weighlock.scanners.strict import jinja
from weighlock.scanners.strict.notes import Notes

ATTACKS = [
    "{{ ''.__class__ }}",
    "{{ x['__class__'] }}",
    "{{ x|attr('__class__') }}",
    "{{ x|attr(y) }}",
    "{{ x|attr(*y) }}",
    "{{ x|map(attribute='__class__')|list }}",
    "{{ x|map(attribute='a.__class__.b')|list }}",
    "{{ x|map('attr', '__cl' ~ 'ass__')|list }}",
    "{{ x|selectattr('__class__') }}",
    "{{ x|sort(attribute='__class__') }}",
    "{{ x|groupby('__class__') }}",
    "{{ x|join(',', attribute='__class__') }}",
    "{{ x|sum('__class__') }}",
    "{{ x['__cl' ~ 'ass__'] }}",
    "{{ x['__cl' + 'ass__'] }}",
    "{{ x['_' * 2 ~ 'class' ~ '_' * 2] }}",
    "{{ x[['_', '_', 'class', '_', '_']|join] }}",
    "{{ x[''.join(['_', '_class_', '_'])] }}",
    "{{ x['__ssalc__'|reverse] }}",
    "{{ x['__ssalc__'[::-1]] }}",
    "{{ x['--class--'|replace('-', '_')] }}",
    "{{ x['--class--'.replace('-', '_')] }}",
    "{{ x['%c%cclass%c%c'|format(95, 95, 95, 95)] }}",
    "{{ x['%s%sclass%s%s' % ('_', '_', '_', '_')] }}",
    "{{ x['{}{}class{}{}'.format('_', '_', '_', '_')] }}",
    "{{ x['__CLASS__'|lower] }}",
    "{{ x['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "{{ x['\\137\\137class\\137\\137'] }}",
    "{{ x['\\u005f_class_\\u005f'] }}",
    "{% set a = '__cla' %}{% set b = 'ss__' %}{{ x[a ~ b] }}",
    "{% set a %}__class__{% endset %}{{ x[a] }}",
    "{% set a %}__cla{# #}ss__{% endset %}{{ x[a] }}",
    "{% macro m() %}__class__{% endmacro %}{{ x[m()] }}",
    "{{ x[y ~ z]() }}",
    "{{ x[m() ~ n()]['popen']('id') }}",
    "{% set f = x[y ~ z] %}{{ f('id') }}",
    "{% set f = x.read %}{{ f() }}",
    "{% for f in [x.read] %}{{ f() }}{% endfor %}",
    "{{ (x|select).gi_frame.f_back.f_globals }}",
    "{{ x.mro() }}",
    "{{ x['mro']() }}",
    "{{ x.popen('id').read() }}",
    "{{ x.os.system('id') }}",
    "{{ x.subprocess.check_output('id') }}",
    "{{ eval('1') }}",
    "{{ open('/etc/passwd') }}",
    "{{ __import__('os') }}",
    "{{ lipsum }}",
    "{{ lipsum.x }}",
    "{% for lipsum in [] %}{% endfor %}{{ lipsum(n=1) }}",
    "{{ cycler.x }}",
    "{{ joiner.x }}",
    "{{ namespace.x }}",
    "{{ cycler['x'] }}",
    "{{ self.x }}",
    "{{ config.items() }}",
    "{{ request.x }}",
    "{% include 'a' %}",
    "{% import 'a' as b %}",
    "{% from 'a' import b %}",
    "{% extends 'a' %}",
    "{{ '{0.__class__}'.format(x) }}",
    "{{ '{0._private}'.format(x) }}",
    "{{ x._TemplateReference }}",
    "{% if x.__class__ %}{% endif %}",
    "{% for a in x.__class__ %}{% endfor %}",
    "{% set n = namespace(__class__=1) %}{{ n }}",
    "{{ ''|attr('\\x5f\\x5fclass__') }}",
    "{% filter attr('__class__') %}a{% endfilter %}",
    "{{ (x|attr('a'))('id') }}",
    "{{ x()() }}",
    "{% generation %}{{ x.__class__ }}{% endgeneration %}",
    "{% call(a) m() %}{{ a.__class__ }}{% endcall %}",
    "{% macro m(a=x.__class__) %}{% endmacro %}",
    "{% do x.__class__ %}",
]

UNCLEAR = [
    "{{ x[bos_token] }}",
    "{% for k in [bos_token] %}{{ x[k] }}{% endfor %}",
    "{% set k = bos_token %}{% set j = k %}{{ x[j] }}",
    "{% set n = namespace(k=0) %}{% set n.k = bos_token %}{{ x[n.k] }}",
    "{% macro m(k) %}{{ x[k] }}{% endmacro %}{{ m(bos_token) }}",
    "{% macro m(k) %}{{ x[k] }}{% endmacro %}{{ m(*y) }}",
    "{{ x[y ~ z] }}",
    "{{ x[y|replace('a', 'b')] }}",
    "{{ x[y|map('replace', 'a', 'b')|first] }}",
    "{{ x[m()] }}{% macro m() %}a{% endmacro %}",
    "{% set loop = dict(index=bos_token) %}{{ x[loop.index] }}",
    "{{ y.format(x) }}",
    "{{ y|format(x) }}",
    "{{ x.unheard_of() }}",
    "{{ unheard_of() }}",
    "{{ x|unheard_of }}",
    "{% set s = '__' %}{{ s }}",
]

GAPS = {
    "{{ x": "does not parse",
    "{% if %}": "does not parse",
    "{% unheard_of %}": "does not parse",
    "{{ " + "(" * 2000: "too deeply",
    "{{ a }}" * 40_000: "the limit",
    "{{ 1 }}" + "{{ " + "1" * 5000 + " }}": "does not parse",
}

HONEST = {
    "chatml": """
{%- for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    "header ids": """
{%- set turns = messages %}{%- for turn in turns %}
{%- set text = '<|start_header_id|>' + turn['role'] + '<|end_header_id|>\\n\\n' + turn['content'] | trim + '<|eot_id|>' %}
{%- if loop.index0 == 0 %}{%- set text = bos_token + text %}{%- endif %}{{ text }}{%- endfor %}""",
    "header ids with tools": """
{{- bos_token }}{%- if custom_tools is defined %}{%- set tools = custom_tools %}{%- endif %}
{%- if not date_string is defined %}{%- if strftime_now is defined %}{%- set date_string = strftime_now("%d %b %Y") %}
{%- else %}{%- set date_string = "1 Jan 2025" %}{%- endif %}{%- endif %}
{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content']|trim %}{%- set messages = messages[1:] %}
{%- else %}{%- set system = "" %}{%- endif %}{{- "Today: " + date_string + system }}
{%- for t in tools %}{{- t | tojson(indent=4) }}{%- endfor %}{%- for message in messages %}
{%- if 'tool_calls' in message %}{%- if not message.tool_calls|length == 1 %}{{- raise_exception("one call only") }}
{%- endif %}{%- set call = message.tool_calls[0].function %}{{- '{"name": "' + call.name + '", "parameters": ' }}
{{- call.arguments | tojson }}{{- "}" }}{%- else %}{{- message['content'] | trim }}{%- endif %}{%- endfor %}""",
    "instructions in brackets": """
{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('roles must alternate') }}{% endif %}{% if message['role'] == 'user' %}
{{ '[INST] ' + message['content'] + ' [/INST]' }}{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}""",
    "brackets with tools": """
{%- if messages[0]["role"] == "system" %}{%- set system_message = messages[0]["content"] %}
{%- set loop_messages = messages[1:] %}{%- else %}{%- set loop_messages = messages %}{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}{%- set ns = namespace(index=0) %}
{%- for message in loop_messages %}{%- if not (message.role == "tool" or (message.tool_calls is defined)) %}
{%- set ns.index = ns.index + 1 %}{%- endif %}{%- if tools and (message == user_messages[-1]) %}
{{- "[TOOLS] [" }}{%- for tool in tools %}{%- for key, val in tool.function.items() if key != "return" %}
{%- if val is string %}{{- '"' + key + '": "' + val + '"' }}{%- else %}{{- '"' + key + '": ' + val|tojson }}{%- endif %}
{%- if not loop.last %}{{- ", " }}{%- endif %}{%- endfor %}{%- endfor %}{{- "]" }}{%- endif %}{%- endfor %}""",
    "thinking with a search for the last question": """
{%- set ns = namespace(multi=true, last=messages|length - 1) %}{%- for message in messages[::-1] %}
{%- set index = (messages|length - 1) - loop.index0 %}{%- if ns.multi and message.role == "user" and message.content is
string and not (message.content.startswith('<tool>') and message.content.endswith('</tool>')) %}
{%- set ns.multi = false %}{%- set ns.last = index %}{%- endif %}{%- endfor %}{{- messages[ns.last].content }}
{%- for message in messages %}{%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}
{%- if loop.index0 > ns.last and (loop.last or messages[loop.index0 + 1].role != 'tool') %}{{- content.strip('\\n') }}
{%- endif %}{%- endfor %}""",
    "turns": """
{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}
{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}
{% set role = message['role'] %}{% endif %}{{ '<turn>' + role + '\\n' + message['content'] | trim + '</turn>\\n' }}
{% endfor %}""",
    "macros that recurse over a schema": """
{%- macro kind(spec) %}{%- set names = {"string": "str", "number": "float"} %}{%- if names[spec.type] is defined %}
{{- names[spec.type] }}{%- elif spec.type == "array" %}{{- "List[" + kind(spec.items) + "]" }}{%- elif spec.type is iterable %}
{%- for t in spec.type %}{{- kind({"type": t}) }}{%- endfor %}{%- endif %}{%- endmacro %}
{%- for tool in tools %}{%- if tool.function is defined %}{%- set tool = tool.function %}{%- endif %}
{{- 'def ' + tool.name + '(' }}{%- for name, fields in tool.parameters.properties|items %}{{- name + ': ' + kind(fields) }}
{%- endfor %}{%- endfor %}{{- '"x"'|indent(8, first=true) }}""",
    "keys of a mapping": """
{%- macro extra(spec, handled) %}{%- if spec is mapping %}{%- for key in spec if key not in handled %}
{{- '<' ~ key ~ '>' ~ (spec[key] | tojson) ~ '</' ~ key ~ '>' }}{%- endfor %}{%- endif %}{%- endmacro %}
{%- for tool in tools %}{{- extra(tool, ['name', 'type']) }}{%- endfor %}""",
    "sorted keys": """
{%- macro show(value, deep=true) -%}{%- if value is mapping -%}{%- for key, item in value | dictsort -%}
{{ key }}:{{- show(item, deep=deep) -}}{%- endfor -%}{%- elif value is sequence and value is not string -%}
{%- for item in value -%}{{ show(item) }}{{ ',' if not loop.last }}{%- endfor -%}{%- else -%}{{ value }}{%- endif -%}
{%- endmacro -%}{{ show(tools) }}""",
    "parts of a message": """
{% for message in messages %}{% if message['content'] is string %}{{ message['content'] }}{% else %}
{% for part in message['content'] %}{% if part['type'] == 'image' or 'image' in part or 'image_url' in part %}
<image>{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}{% endfor %}""",
    "images by index": """
{%- macro picture(state) -%}{{- images[state.at] -}}{%- set state.at = state.at + 1 -%}{%- endmacro -%}
{%- set state = namespace(at=0) -%}{%- for part in parts -%}{{- picture(state) -}}{%- endfor -%}""",
    "generation and loop controls": """
{%- for message in messages %}{%- if message.role == 'tool' %}{% continue %}{% endif %}{%- generation %}{{ message.content }}
{%- endgeneration %}{%- if loop.index > 20 %}{% break %}{% endif %}{%- endfor %}""",
    "a call with the index of the previous message": """
{%- for i in range(messages|length - 1, -1, -1) -%}{%- if messages[i].role != "tool" -%}{{ messages[i - 1].content }}
{%- endif -%}{%- endfor -%}{%- set start = 1 if has_system else 0 -%}{%- for m in messages[start:] -%}
{{ messages[loop.index0 + start].role }}{%- endfor -%}""",
    "rag documents": """
{% for document in documents %}{{ '\\nDocument: ' }}{{ loop.index0 }}\\n{% for key, value in document.items() %}
{{ key }}: {{ value }}\\n{% endfor %}{% endfor %}{% set _ = documents.pop() %}""",
    "lists that grow": """
{%- set tools_seen = namespace(value=[]) -%}{%- for m in messages -%}{%- if m.get('tools') -%}{%- for tool in m.tools -%}
{%- set _ = tools_seen.value.append(tool.function if tool.get('function') else tool) -%}{%- endfor -%}{%- endif -%}
{%- endfor -%}{%- set calls = namespace(all=[]) -%}{%- for call in messages -%}
{%- set calls.all = calls.all + ['{"name": "' + call.name + '"}'] -%}{%- endfor -%}{{ calls.all | join(', ') }}""",
    "a captured block": """
{%- set suffix -%}{%- filter trim -%} Use __all__ tools and self.x. {%- endfilter -%}{%- endset -%}
{{ suffix ~ "\\n" ~ tools | map(attribute='function.name') | join(', ') }}""",
    "a prompt with prose": "Explain lipsum, __class__ and {{ question }}; config.os is not code here.",
    "separators": "{% set comma = joiner(', ') %}{% for m in messages %}{{ comma() }}{{ m.content }}{% endfor %}",
    "own names that frameworks use, too": "{% set config = tools[0] %}{{ config.name }}{% for request in messages %}{{ request.role }}{% endfor %}",
}  # fmt: skip


def judged(source: str) -> Notes:
    notes = Notes()
    jinja.judge(source, "chat_template", notes)
    return notes


@pytest.mark.parametrize("source", ATTACKS)
def test_what_reaches_out_is_unsafe(source: str) -> None:
    assert Severity.CRITICAL in {finding.severity for finding in judged(source).findings}


@pytest.mark.parametrize("source", UNCLEAR)
def test_what_is_unclear_is_for_review(source: str) -> None:
    assert {finding.severity for finding in judged(source).findings} == {Severity.REVIEW}


@pytest.mark.parametrize("source", GAPS, ids=lambda source: source[:20])
def test_what_cannot_be_read_is_a_gap(source: str) -> None:
    assert GAPS[source] in "".join(judged(source).gaps)


@pytest.mark.parametrize("name", HONEST)
def test_ordinary_templates_pass(name: str) -> None:
    notes = judged(HONEST[name])
    assert [finding.message for finding in notes.findings] + notes.gaps == []


def test_text_without_marks_is_no_template() -> None:
    assert judged("lipsum.__class__ } }}").findings == []


@pytest.mark.parametrize(
    "source",
    [
        "".join(f"{{% set a{n} = a{n + 1} + a{n + 1} %}}" for n in range(4000)) + "{{ x[a0] }}",
        "{% set a = 'x' * 4000 %}" + "{{ [a, a, a]|join|reverse|upper }}" * 4000,
        "{{ x" + "[y" * 90 + "]" * 90 + " }}",
        "{{ " + "~".join(["'a'"] * 30_000) + " }}",
        "{% macro m() %}" * 40 + "{{ x }}" * 5000 + "{% endmacro %}" * 40,
        "{{ '%s' % 'x' * 4000 * 4000 }}{{ '{:9999999}'.format(1) }}{{ '%9999999d' % 1 }}",
    ],
    ids=lambda source: source[:24],
)
def test_time_is_bounded(source: str) -> None:
    start = time.process_time()
    judged(source)
    assert time.process_time() - start < 20


@given(st.lists(st.sampled_from(["{{", "}}", "{%", "%}", " x", "[", "]", "'a'", "|", "attr", "(", ")", "~", "set", "for", "in", "=", ".", "__"]), max_size=30))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_any_source_is_judged_without_a_crash(pieces: list[str]) -> None:
    judged(" ".join(pieces))
