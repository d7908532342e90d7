"""Jinja templates that reach Python through a prompt; text here, rendered nowhere."""

from __future__ import annotations

SHELL = ".system('true')"

HOSTILE = {
    "attributes": "{{ ''.__class__.__mro__[1].__subclasses__()[100]('true', shell=True) }}",
    "subscripts": "{{ ''['__class__']['__mro__'][1]['__subclasses__']() }}",
    "attr filter": "{{ '' | attr('__class__') | attr('__mro__') }}",
    "lipsum": "{{ lipsum.__globals__['os']" + SHELL + " }}",
    "lipsum without dunders": "{{ lipsum['\\x5f\\x5fglobals\\x5f\\x5f']['os'].popen('true').read() }}",
    "cycler": "{{ cycler.__init__.__globals__.os" + SHELL + " }}",
    "joiner": "{{ joiner.__init__.__globals__.os" + SHELL + " }}",
    "namespace": "{{ namespace.__init__.__globals__.os" + SHELL + " }}",
    "self": "{{ self._TemplateReference__context.cycler.__init__.__globals__.os }}",
    "self's init": "{{ self.__init__.__globals__.__builtins__.__import__('os')" + SHELL + " }}",
    "config": "{{ config.__class__.from_envvar.__globals__.import_string('os') }}",
    "request": "{{ request.application.__globals__.__builtins__.eval('1') }}",
    "builtins": "{{ messages.__class__.__base__.__subclasses__() }}",
    "concatenation": "{{ ''['__cl' ~ 'ass__']['__mr' + 'o__'] }}",
    "format": "{{ ''['%c%cclass%c%c' | format(95, 95, 95, 95)] }}",
    "join": "{{ '' | attr(['__cla', 'ss__'] | join) }}",
    "escapes": "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "unicode escapes": "{{ ''['\\u005f\\u005fclass\\u005f\\u005f'] }}",
    "reverse": "{{ '' | attr('__ssalc__' | reverse) }}",
    "replaced": "{{ '' | attr('..class..' | replace('.', '_')) }}",
    "set first": "{% set name = '__class__' %}{{ ''[name] }}",
    "set in parts": "{% set a = '__' %}{% set b = a ~ 'class' ~ a %}{{ '' | attr(b) }}",
    "in a macro": "{% macro m(x) %}{{ x.__class__ }}{% endmacro %}{{ m('') }}",
    "in a loop": "{% for c in ().__class__.__base__.__subclasses__() %}{% if c %}{{ c() }}{% endif %}{% endfor %}",
    "in a condition": "{% if messages.__init__.__globals__ %}a{% endif %}",
    "in a filter block": "{% filter upper %}{{ lipsum.__globals__ }}{% endfilter %}",
    "map by attribute": "{{ [''] | map(attribute='__class__') | list }}",
    "behind a comment": "{# fine #}{{ messages }}{#- -#}{{ ''.__class__ }}",
    "behind much text": "{{ messages }}" + "a" * 20_000 + "{{ ''.__class__.__base__ }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}{{ os" + SHELL + " }}",
    "call block": "{% call (x) cycler.__init__.__globals__.os" + SHELL + " %}{% endcall %}",
}
"""Name to template; each reaches what no chat template needs."""

NEEDS_MORE = {"config", "request", "include", "import"}
"""Those that work only where the host offers a Flask application, or a loader of templates."""
