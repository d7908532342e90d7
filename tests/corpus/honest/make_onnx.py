"""Make the families ``onnx``, ``gguf`` and ``safetensors``: graphs and tensors in formats without code."""

# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call,no-any-return"
# (these are in an environment of their own)

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import gguf
import ml_dtypes
import numpy as np
import onnx
import safetensors.numpy
from making import make
from onnx import TensorProto, helper, numpy_helper

rows = np.random.default_rng(0)
FLOATS = rows.random((4, 3)).astype("f4")
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] | trim + eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
TOOLS = (
    "{%- if messages[0]['role'] == 'system' -%}{%- set system = messages[0]['content'] -%}{%- set loop_messages ="
    " messages[1:] -%}{%- else -%}{%- set loop_messages = messages -%}{%- endif -%}{%- for message in loop_messages -%}"
    "{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}{{ raise_exception('Roles must alternate') }}"
    "{%- endif -%}{%- if tools is not none and loop.last -%}{{ tools | tojson(indent=4) }}{%- endif -%}"
    "{{ message.role ~ ': ' ~ message.content }}{%- endfor -%}"
)


def value(name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes: list[Any], tensors: dict[str, Any], inputs: list[Any], outputs: list[Any], **more: Any) -> Any:
    graph = helper.make_graph(
        nodes, "graph", inputs, outputs, [numpy_helper.from_array(data, name) for name, data in tensors.items()]
    )
    options = {"opset_imports": [helper.make_opsetid("", 17)], "producer_name": "weighlock tests", **more}
    return helper.make_model(graph, ir_version=8, **options)


def linear() -> Any:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])]
    return model(nodes, {"w": FLOATS}, [value("x", "n", 4)], [value("z", "n", 3)])


def convolution() -> Any:
    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[2, 2], pads=[0, 0, 0, 0], auto_pad="NOTSET")
    return model(
        [node], {"w": rows.random((1, 1, 2, 2)).astype("f4")}, [value("x", 1, 1, 4, 4)], [value("y", 1, 1, 3, 3)]
    )


def branching() -> Any:
    def branch(name: str, number: float) -> Any:
        constant = helper.make_node(
            "Constant", [], [name], value=numpy_helper.from_array(np.array([number], "f4"), "c")
        )
        return helper.make_graph([constant], name + " graph", [], [value(name, 1)])

    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("then", 1), else_branch=branch("else", 2))
    return model([node], {}, [value("c", kind=TensorProto.BOOL)], [value("y", 1)])


def looping() -> Any:
    body = helper.make_graph(
        [
            helper.make_node("Add", ["state", "w"], ["next"]),
            helper.make_node("Identity", ["go"], ["on"]),
        ],
        "body",
        [value("i", kind=TensorProto.INT64), value("go", kind=TensorProto.BOOL), value("state", 3)],
        [value("on", kind=TensorProto.BOOL), value("next", 3)],
        [numpy_helper.from_array(FLOATS[0], "w")],
    )
    node = helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)
    return model([node], {"n": np.int64(3)}, [value("x", 3)], [value("y", 3)])


def functions() -> Any:
    function = helper.make_function(
        "local", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    node = helper.make_node("Twice", ["x"], ["y"], domain="local")
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    return model([node], {}, [value("x", 3)], [value("y", 3)], opset_imports=imports, functions=[function])


def trees() -> Any:
    node = helper.make_node(
        "Scaler", ["x"], ["y"], domain="ai.onnx.ml", offset=[0.5, 0.5], scale=[1.0, 2.0], name="scaler"
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return model([node], {}, [value("x", 1, 2)], [value("y", 1, 2)], opset_imports=imports)


def quantized() -> Any:
    node = helper.make_node("DequantizeLinear", ["w", "s", "p"], ["y"])
    tensors = {"w": np.arange(4, dtype="i1"), "s": np.float32(0.1), "p": np.int8(0)}
    return model([node], tensors, [], [value("y", 4)])


def described() -> Any:
    result = linear()
    helper.set_model_props(result, {"author": "tests", "labels": '["coal", "grain"]'})
    result.doc_string = "A model with words in it: import os"
    return result


def kinds() -> Any:
    tensors = {
        "half": FLOATS.astype("f2"),
        "double": FLOATS.astype("f8"),
        "long": np.arange(3),
        "bool": np.array([True, False]),
        "text": np.array(["coal", "grain"], object),
        "bfloat16": np.ones(2, ml_dtypes.bfloat16),
    }
    node = helper.make_node("Identity", ["half"], ["y"])
    return model([node], tensors, [], [value("y", 4, 3, kind=TensorProto.FLOAT16)])


def sparse() -> Any:
    values = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    places = helper.make_tensor("places", TensorProto.INT64, [2], [0, 5])
    result = model([helper.make_node("Add", ["x", "w"], ["y"])], {}, [value("x", 8)], [value("y", 8)])
    result.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [8]))
    return result


ONNX = {
    "linear": linear,
    "convolution": convolution,
    "branching": branching,
    "looping": looping,
    "functions": functions,
    "scaler": trees,
    "quantized": quantized,
    "described": described,
    "kinds": kinds,
    "sparse": sparse,
}


def written(build: Any, path: Path) -> None:
    result = build()
    onnx.checker.check_model(result)
    onnx.save(result, path)


def external(name: str, path: Path, **more: Any) -> None:
    """Write a folder with a model and its tensors beside it."""
    path.mkdir()
    target = path / "model.onnx"
    onnx.save(linear(), target, save_as_external_data=True, location=name, size_threshold=0, **more)


def llama(path: Path, *, template: str = TEMPLATE, more: bool = False) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("small")
    writer.add_block_count(1)
    writer.add_context_length(16)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["<s>", "coal", "grain"])
    writer.add_token_scores([0.0, -1.0, -2.0])
    writer.add_token_types([3, 1, 1])
    writer.add_bos_token_id(0)
    if template:
        writer.add_chat_template(template)
    if more:
        writer.add_array("general.tags", ["text", "small"])
        writer.add_bool("tokenizer.ggml.add_bos_token", True)
        writer.add_int8("test.i8", -1)
        writer.add_uint64("test.u64", 1 << 40)
        writer.add_float64("test.f64", 0.5)
        writer.add_array("test.empty", [1.5, 2.5])
    writer.add_tensor("token_embd.weight", rows.random((3, 32)).astype("f4"))
    writer.add_tensor("blk.0.attn_q.weight", rows.random((4, 32)).astype("f2"))
    if more:
        packed = gguf.quantize(rows.random((2, 32)).astype("f4"), gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor("blk.0.ffn_up.weight", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        packed = gguf.quantize(rows.random((2, 32)).astype("f4"), gguf.GGMLQuantizationType.Q4_0)
        writer.add_tensor("blk.0.ffn_down.weight", packed, raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def vocabulary(path: Path) -> None:
    """Write a GGUF without tensors, as for a vocabulary."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_token_list([f"token{i}" for i in range(100)])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensors(values: dict[str, Any], path: Path, **metadata: str) -> None:
    safetensors.numpy.save_file(values, path, metadata=metadata or None)


SAFETENSORS: dict[str, Any] = {
    "model.safetensors": partial(tensors, {"a.weight": FLOATS, "a.bias": FLOATS[0]}, format="pt"),
    "plain.safetensors": partial(tensors, {"w": FLOATS}),
    "kinds.safetensors": partial(
        tensors, {kind: np.ones(3, kind) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u8", "?")}
    ),
    "bfloat16.safetensors": partial(tensors, {"w": np.ones(4, ml_dtypes.bfloat16)}),
    "float8.safetensors": partial(tensors, {"w": np.ones(4, ml_dtypes.float8_e4m3fn)}),
    "scalar.safetensors": partial(tensors, {"step": np.array(3), "none": np.zeros((0, 2), "f4")}),
    "described.safetensors": partial(tensors, {"w": FLOATS}, format="np", note="made with <script> and import os"),
    "many.safetensors": partial(tensors, {f"layers.{i}.weight": FLOATS[:1] for i in range(40)}),
}

if __name__ == "__main__":
    make(
        "onnx",
        {
            **{f"{name}.onnx": partial(written, build) for name, build in ONNX.items()},
            "external": partial(external, "model.onnx.data"),
            "external-each": partial(external, "weights.bin", all_tensors_to_one_file=False),
        },
        ["onnx", "numpy", "ml_dtypes"],
    )
    make(
        "gguf",
        {
            "chat.gguf": llama,
            "tools.gguf": partial(llama, template=TOOLS),
            "no-template.gguf": partial(llama, template=""),
            "quantized.gguf": partial(llama, more=True),
            "vocabulary.gguf": vocabulary,
        },
        ["gguf", "numpy"],
    )
    make("safetensors", SAFETENSORS, ["safetensors", "numpy", "ml_dtypes"])
