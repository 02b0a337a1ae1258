"""The argv of what is no shell: Python, Node, Ruby, Perl, PowerShell, and any program that takes a file.

Each of the first four is given a few words of its own language that compile the script under the runbook's name and
line; large scripts come from a private file. What handles prompts reads them on stdin.
"""

from __future__ import annotations

import os

from spry.core.program import HANDLER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spry.execute.command import Script, ScriptFolder
    from spry.execute.interpreter import Interpreter

# These take no file of statements as an argument: they read them from standard input.
READ_STDIN = frozenset({"sqlite3", "psql", "mysql", "mariadb", "duckdb", "clickhouse-client", "redis-cli"})
EXTENSIONS = {"typescript": "ts", "rust": "rs", "python": "py", "javascript": "js"}

# Tracebacks begin with the frames that started the script; people have no use for those.
PYTHON = """\
def spry(text, lines, sys=__import__("sys")):
    def show(kind, error, trace):
        while trace and trace.tb_frame.f_code.co_filename == "<string>":
            trace = trace.tb_next
        sys.__excepthook__(kind, error.with_traceback(trace), trace)
    sys.excepthook = show
    del sys.argv[0]
    return compile("\\n" * lines + text, sys.argv[0], "exec", 0, True)
exec(globals().pop("spry")(%s, %d))
"""
NODE = """\
{ const vm = require("vm"), text = process.argv.splice(1, 1)[0], { constants } = vm;
  require.main = module;
  vm.runInThisContext(%s, { filename: process.argv[1], lineOffset: %d,
    importModuleDynamically: constants && constants.USE_MAIN_CONTEXT_DEFAULT_LOADER }); }
"""
RUBY = 'text = %s; $0 = ARGV.shift; eval(text.force_encoding("UTF-8"), TOPLEVEL_BINDING.dup, $0, %d)'


def argv(interpreter: Interpreter, script: Script, scripts: ScriptFolder) -> tuple[str, ...]:
    """The argv that makes a program other than a shell run a script, up to the script's own arguments."""
    if interpreter.origin == HANDLER:
        return _on_stdin(interpreter.argv, _written(script, scripts, "txt"))
    return BUILDERS.get(interpreter.family, _file)(interpreter.argv, script, scripts)


def _python(argv: tuple[str, ...], script: Script, scripts: ScriptFolder) -> tuple[str, ...]:
    literal = ascii(script.text)
    if not script.fits(literal, len(PYTHON) + 20):
        literal = f'open({_written(script, scripts, "py")!a}, "rb").read().decode()'
    return (*argv, "-c", PYTHON % (literal, script.line - 1), script.path)


def _node(argv: tuple[str, ...], script: Script, scripts: ScriptFolder) -> tuple[str, ...]:
    if _is_module(script.text):
        return _node_module(argv, script, scripts)
    text, source = script.text, "text"
    if script.is_large:
        text, source = _written(script, scripts, "js"), 'require("fs").readFileSync(text, "utf8")'
    return (*argv, "-e", NODE % (source, script.line - 1), "--", text, script.path)


def _is_module(text: str) -> bool:
    """Whether JavaScript is a module by its first words: only those may `import`, `export` and `await` at the top."""
    return any(line.startswith(("import ", "import{", "export ", "await ")) for line in text.split("\n"))


def _node_module(argv: tuple[str, ...], script: Script, scripts: ScriptFolder) -> tuple[str, ...]:
    if script.is_large:
        return (*argv, _written(script, scripts, "mjs"))
    name = script.path.replace("\\", "\\\\").replace('"', '\\"')
    text = f'process.argv.splice(1, 0, "{name}");{script.padding}{script.text}\n//# sourceURL={script.path}\n'
    return (*argv, "--input-type=module", "-e", text, "--")


def _ruby(argv: tuple[str, ...], script: Script, scripts: ScriptFolder) -> tuple[str, ...]:
    text, source = script.text, "ARGV.shift.dup"
    if script.is_large:
        text, source = _written(script, scripts, "rb"), "File.binread(ARGV.shift)"
    return (*argv, "-e", RUBY % (source, script.line), "--", text, script.path)


def _perl(argv: tuple[str, ...], script: Script, scripts: ScriptFolder) -> tuple[str, ...]:
    name = script.path.replace("\\", "\\\\").replace("'", "\\'")
    where = script.path.replace('"', "'")
    text = f"BEGIN {{ $0 = '{name}' }}\n# line {script.line} \"{where}\"\n{script.text}"
    if script.is_large:
        return (*argv, _written(script, scripts, "pl", text))
    return (*argv, "-e", text, "--")


def _pwsh(argv: tuple[str, ...], script: Script, scripts: ScriptFolder) -> tuple[str, ...]:
    """PowerShell takes arguments for files only, and those end in `.ps1`."""
    name = f"{os.path.basename(script.path)}.ps1"
    folder = scripts.write(script.task, name, script.padding + script.text)
    return (*argv, "-NoProfile", "-NonInteractive", "-File", os.path.join(folder, name))


def _file(argv: tuple[str, ...], script: Script, scripts: ScriptFolder) -> tuple[str, ...]:
    """The script as it is: in place of `{}` in the command, on standard input of a database shell, else as a file."""
    file = _written(script, scripts, EXTENSIONS.get(script.language, script.language))
    if any("{}" in word for word in argv[1:]):
        return (argv[0], *(word.replace("{}", file) for word in argv[1:]))
    if os.path.basename(argv[0]) in READ_STDIN:
        return _on_stdin(argv, file)
    return (*argv, file)


def _on_stdin(argv: tuple[str, ...], file: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", 'exec "$@" <"$0"', file, *argv)


def _written(script: Script, scripts: ScriptFolder, extension: str, text: str = "") -> str:
    """The path of a file that holds the script, called after its task."""
    name = f"{script.task.replace('/', '-')[:100]}.{extension}"
    return os.path.join(scripts.write(script.task, name, text or script.text), name)


BUILDERS: Mapping[str, Callable[[tuple[str, ...], Script, ScriptFolder], tuple[str, ...]]] = {
    "python": _python,
    "node": _node,
    "ruby": _ruby,
    "perl": _perl,
    "pwsh": _pwsh,
}
