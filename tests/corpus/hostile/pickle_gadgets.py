"""Pickles that call what deny-lists forgot: functions of the standard library and of libraries beside every model.

The names come from the advisories for picklescan, fickling and modelscan, and from reading the libraries. Each runs
code, writes or reads a file, connects, or loads something else when it is called with the right arguments.
"""

from __future__ import annotations

from collections.abc import Iterator

from corpus.hostile import Case, Family
from corpus.hostile.assembler import arguments, call, stacked, stream

GADGET = Family("pickle gadget")

# One line a module; what they do is in the heading.
RUNS_CODE = """
aifc.open
asyncio.unix_events:_UnixSubprocessTransport._start
asyncio.subprocess.create_subprocess_shell
bdb:Bdb.run
bdb:Bdb.runeval
cProfile.run
cProfile.runctx
cgitb.lookup
code:InteractiveInterpreter.runcode
code:InteractiveConsole.push
compileall.compile_file
dataclasses.make_dataclass
doctest.debug_script
doctest.run_docstring_examples
ensurepip._run_pip
ensurepip.bootstrap
idlelib.autocomplete:AutoComplete.get_entity
idlelib.autocomplete:AutoComplete.fetch_completions
idlelib.calltip:Calltip.fetch_tip
idlelib.calltip.get_entity
idlelib.debugobj:ObjectTreeItem.SetText
idlelib.pyshell:ModifiedInterpreter.runcode
idlelib.pyshell:ModifiedInterpreter.runcommand
idlelib.run:Executive.runcode
lib2to3.pgen2.grammar:Grammar.loads
lib2to3.pgen2.pgen:ParserGenerator.make_label
multiprocessing.util.spawnv_passfds
multiprocessing.popen_spawn_posix.Popen
pdb.run
pip.main
pip._internal.main
pip._internal.cli.main.main
pkgutil.resolve_name
profile.run
profile:Profile.runctx
py_compile.compile
pydoc.locate
pydoc.pipepager
pydoc.tempfilepager
rlcompleter:Completer.global_matches
setuptools._distutils.spawn.spawn
distutils.spawn.spawn
distutils.core.run_setup
site.execsitecustomize
tabnanny.check
test.support.script_helper.assert_python_ok
test.support.script_helper.spawn_python
timeit.timeit
timeit.main
trace:Trace.run
trace:Trace.runctx
typing.get_type_hints
inspect.get_annotations
unittest.main
venv.create
wsgiref.simple_server.make_server
zipapp.create_archive
zipimport.zipimporter
_aix_support._read_cmd_output
_osx_support._find_build_tool
_osx_support._read_output
_posixsubprocess.fork_exec
_testcapi.run_in_subinterp
_xxsubinterpreters.run_string
uuid._get_command_stdout
uuid._popen
ctypes.util._findLib_gcc
platform.popen
numpy.f2py.crackfortran.getlincoef
numpy.f2py.crackfortran._eval_length
numpy.f2py.crackfortran.param_eval
numpy.f2py.crackfortran.myeval
numpy.f2py.diagnose.run_command
numpy.testing._private.utils.runstring
numpy.testing._private.utils.rundocs
numpy.distutils.exec_command.exec_command
scipy._lib._testutils.check_free_memory
pandas.core.computation.eval.eval
pandas.eval
sklearn.externals.joblib.load
sympy.parsing.sympy_parser.eval_expr
torch._dynamo.guards:GuardBuilder.get
torch._inductor.codecache.compile_file
torch.fx.experimental.symbolic_shapes:ShapeEnv.evaluate_guards_expression
torch.jit.annotations.parse_type_line
torch.jit.unsupported_tensor_ops.execWrapper
torch.utils._config_module.load_config
torch.utils._config_module:ConfigModule.load_config
torch.utils.bottleneck.__main__.run_cprofile
torch.utils.bottleneck.__main__.run_autograd_prof
torch.utils.collect_env.run
torch.utils.cpp_extension.load_inline
torch.distributed.rpc.rpc_sync
torch.ops.load_library
torch._ops.load_library
torch.classes.load_library
torch.compile
tensorflow.python.ops.script_ops.py_func
keras.src.saving.serialization_lib.deserialize_keras_object
mlflow.projects.run
mlflow.pyfunc.load_model
transformers.dynamic_module_utils.get_class_from_dynamic_module
transformers.pipelines.pipeline
IPython.utils._process_posix.system
mako.template.Template
psutil.Popen
pexpect.spawn
numba.core.serialize._unpickle__CustomPickled
ray.cloudpickle.loads
apache_beam.internal.pickler.loads
dask.utils.apply
fsspec.open
django.core.management.call_command
flask.cli.run_command
celery.bin.celery.main
twisted.internet.utils.getProcessOutput
"""
READS_OR_WRITES = """
dbm.dumb.open
distutils.file_util.write_file
distutils.file_util.copy_file
filecmp.cmp
fileinput.input
glob.glob
gzip.open
bz2.open
lzma.open
linecache.getline
logging.FileHandler
logging.config.dictConfig
mailbox.mbox
mimetypes.init
netrc.netrc
numpy.fromfile
numpy.memmap
numpy.genfromtxt
numpy.loadtxt
numpy.savetxt
pandas.read_csv
pandas.io.sql.read_sql
plistlib.load
shelve.open
sqlite3.connect
tarfile.open
tokenize.open
tracemalloc.dump
torch.serialization.load
torch.from_file
torch.storage._load_from_bytes
torch:UntypedStorage.from_file
wave.open
xml.etree.ElementTree.parse
zipfile.ZipFile
_io.FileIO
"""
CONNECTS = """
asyncio.open_connection
http.server.HTTPServer
logging.config.listen
logging.handlers.HTTPHandler
multiprocessing.connection.Client
nntplib.NNTP
poplib.POP3
smtpd.SMTPServer
socketserver.TCPServer
ssl.get_server_certificate
torch.hub.download_url_to_file
torch.hub.load_state_dict_from_url
huggingface_hub.hf_hub_download
transformers.utils.hub.cached_file
"""


def cases() -> Iterator[Case]:
    for names, effect in ((RUNS_CODE, "runs code"), (READS_OR_WRITES, "touches files"), (CONNECTS, "connects")):
        for number, line in enumerate(names.split()):
            module, name = line.split(":") if ":" in line else line.rsplit(".", maxsplit=1)
            dotted = "." in name
            made = (
                stream(stacked(module, name) + arguments(("a",)) + b"R", protocol=4)
                if dotted or number % 2
                else stream(call(module, name, "a"))
            )
            yield GADGET.case(
                f"{module}.{name}", "model.pkl", made, f"{effect} through {module}.{name}", f"call {module}.{name}"
            )
