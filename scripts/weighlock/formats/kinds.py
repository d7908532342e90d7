"""What a file of a model is for, told by its name: weight, configuration, code or document.

The lists and their order are those of modctl, so that both tools give a file the same layer type: a pattern is matched
against the lower-cased base name, and the first list with a match wins. A bare word stands for an extension.
"""

from __future__ import annotations

import functools
import re
from fnmatch import translate

WEIGHT, WEIGHT_CONFIG, CODE, DOC = "weight", "weight.config", "code", "doc"
ORDER = (WEIGHT_CONFIG, WEIGHT, CODE, DOC)
"""The order of the kinds among a manifest's layers."""

SIZE_RULE = 128_000_000  # bytes; a larger file that no pattern matches is taken for a weight, a smaller one for code

_CONFIG_NAMES = """
json jsonl json5 jsonc yaml yml toml ini config cfg conf properties props prop xml xsd rng modelcard meta tiktoken
hparams params hyperparams wandb mlflow tensorboard *tokenizer.model* vocab.txt merges.txt added_tokens.txt
spiece.model sentencepiece*.model sentencepiece*.vocab tiktoken.model chat_template.jinja config.json.*
"""
_WEIGHT_NAMES = """
safetensors bin pt pth mar pte pt2 ptl tflite h5 hdf hdf5 pb meta index gguf ggml ggmf ggjt q4_0 q4_1 q5_0 q5_1 q8_0
f16 f32 ckpt checkpoint dist_ckpt tensor weights state embedding vocab ot engine trt onnx msgpack model pkl pickle
keras joblib npy npz nc mlmodel coreml mil mleap surml llamafile caffemodel prototxt dlc circle nb arrow parquet ftz
ark db *.bin.* *.data-* *.gguf.* tensor[0-9]*_[0-9]* *.onnx_data* *.llamafile.*
"""
_CODE_NAMES = """
py ipynb sh patch c h hxx cpp cc cxx c++ hpp hh h++ java js mjs cjs jsx ts tsx go rs swift rb php scala kt kts r m mm f
f90 f95 f03 f08 jl lua pl pm cs vb dart groovy elm erl hrl ex exs hs lhs clj cljs cljc cl lisp lsp scm ss rkt sql psql
mysql sqlite zig cu cuh bash zsh fish csh tcsh ksh ps1 psm1 psd1 bat cmd vbs wsf applescript scpt awk sed expect env
dockerfile mk cmake gradle gradle.kts sbt mill bazel bzl buck ninja gyp gypi waf gemspec so dll dylib lib a *.env.*
.env* makefile* dockerfile* cmakelists.txt build.gradle* settings.gradle* build* workspace* buck* wscript* package.json
package-lock.json yarn.lock pnpm-lock.yaml requirements*.txt pipfile* pyproject.toml setup.cfg tox.ini poetry.lock
cargo.toml cargo.lock go.mod go.sum composer.json composer.lock gemfile* mix.exs mix.lock rebar.config rebar.lock
"""
_DOC_NAMES = """
txt md pdf log doc docx docm dot dotx dotm rtf odt ott fodt pages wpd xls xlsx xlsm xlsb xlt xltx xltm ods ots fods
numbers csv ppt pptx pptm pps ppsx ppsm pot potx potm odp otp fodp key epub mobi azw azw3 fb2 fb3 lit pdb djvu djv html
htm xhtml mhtml mht xml xsl xslt tex latex ltx bib rst asciidoc adoc textile wiki mediawiki org texi texinfo info man
chm hlp xps jpg jpeg png gif bmp tiff ico webp heic heif hevc svg mp4 mov avi mkv webm m4v flv wmv mpg mpeg license*
readme* setup* *requirements* *.tfevents*
"""


def kind_of(path: str, size: int) -> str:
    """Return the kind of the file at `path` with `size` bytes."""
    name = path.rsplit("/", 1)[-1].lower()
    for kind, pattern in _patterns():
        if pattern.fullmatch(name):
            return kind
    return WEIGHT if size > SIZE_RULE else CODE


@functools.cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Compile each list into one pattern, in the order in which they are asked."""
    lists = ((WEIGHT_CONFIG, _CONFIG_NAMES), (WEIGHT, _WEIGHT_NAMES), (CODE, _CODE_NAMES), (DOC, _DOC_NAMES))
    return tuple((kind, re.compile("|".join(_glob(word) for word in words.split()))) for kind, words in lists)


def _glob(word: str) -> str:
    named = any(character in word for character in "*[") or word in _WHOLE_NAMES
    return translate(word if named else f"*.{word}")


_WHOLE_NAMES = frozenset(
    [
        "vocab.txt",
        "merges.txt",
        "added_tokens.txt",
        "spiece.model",
        "tiktoken.model",
        "chat_template.jinja",
        "cmakelists.txt",
        "package.json",
        "package-lock.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "pyproject.toml",
        "setup.cfg",
        "tox.ini",
        "poetry.lock",
        "cargo.toml",
        "cargo.lock",
        "go.mod",
        "go.sum",
        "composer.json",
        "composer.lock",
        "mix.exs",
        "mix.lock",
        "rebar.config",
        "rebar.lock",
    ]
)
