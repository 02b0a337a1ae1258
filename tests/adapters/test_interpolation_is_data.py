"""With real shells: wherever an expression stands, no value of it is ever executed."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from spry.core.model import Task
from spry.core.passage import Passage
from spry.core.source import source
from spry.core.template import RenderError, prepare, render

X = "${captured.x}"
SHELLS = ["bash", "sh", "dash", "ksh", "zsh"]  # those that are installed

PAYLOADS = [
    "$(touch pwned)",
    "`touch pwned`",
    '"; touch pwned; "',
    "'; touch pwned; '",
    "; touch pwned",
    "& touch pwned &",
    "| touch pwned",
    "&& touch pwned",
    "\ntouch pwned\n",
    "\nEOF\ntouch pwned\n",
    "a[$(touch pwned)]",
    "path[$(touch pwned)]",
    "a[`touch pwned`]=1",
    "x=a[$(touch pwned)0]",
    "${x:-$(touch pwned)}",
    "${x:=`touch pwned`}",
    "$((a[$(touch pwned)]))",
    ")); touch pwned; ((",
    "]]; touch pwned; [[",
    ") touch pwned;;",
    "} ; touch pwned ; {",
    "> pwned",
    "<(touch pwned)",
    "() { :; }; touch pwned",
    "-eq 0 -o -v a[$(touch pwned)]",
    "\\$(touch pwned)",
    "*",
    "${SPRY_VALUE_1}",
    "%s%n\\x41 -e -n",
    "{a,b}{$(touch pwned),c}",
    "~root !! # $'\\x41'",
]

AS_DATA = {
    "unquoted": f"printf '%s\\n' {X}",
    "double quotes": f'printf "%s" "{X}"',
    "double quotes in a substitution": f'printf %s "$(printf %s \'\' "{X}")"',
    "backticks": f"printf %s `printf %s {X}`",
    "here-document": f"cat <<EOF\n{X}\nEOF\n",
    "substitution in a here-document": f'cat <<EOF\n$(printf %s "{X}")\nEOF\n',
    "stripped here-document": f"cat <<-EOF\n\t{X}\n\tEOF\n",
    "default": f'printf %s "${{nothing:-{X}}}"',
    "pattern": f'y=abc; printf %s "${{y#{X}}}"',
    "assignment": f'y={X}; printf %s "$y"',
    "assignment before a command": f'y={X} env > /dev/null; z="{X}"; export z',
    "redirection": f'cat < /dev/null "{X}" 2> /dev/null || :',
    "case": f'case {X} in {X}) :;; "{X}") :;; *) :;; esac',
    "loop": f'for y in {X}; do printf %s "$y"; done',
    "test": f'[ "{X}" = a ] || [ -n "{X}" ] || test -z {X}',
    "function argument": f'f() {{ printf %s "$1"; }}; f {X}',
    "quoted program": f'"{X}" 2> /dev/null || :',
}

AS_DATA_IN_BASH = {
    "double brackets": f"[[ {X} == a || a == {X} || -n {X} ]]",
    "regular expression": f"[[ a =~ {X} ]]",
    "here-string": f'cat <<< {X}; cat <<< "{X}"',
    "array": f'a=({X} "{X}"); printf %s "${{a[@]}}"',
    "declaration": f'declare y={X}; export z="{X}"; printf %s "$y"',
    "replacement": f'y=abc; printf %s "${{y//b/{X}}}"',
    "process substitution": f"cat <(printf %s {X})",
    "printf": f'printf -v y %s "{X}"; printf %d "{X}" 2> /dev/null',
}

CALCULATED = {
    "arithmetic": f": $(( {X} + 1 ))",
    "quoted arithmetic": f': "$(( {X} ))"',
    "arithmetic in a here-document": f"cat <<EOF\n$(( {X} ))\nEOF\n",
    "test": f'[ "{X}" -eq 1 ]',
    "exit": f"exit {X}",
    "unset": f'unset "{X}"',
    "read": f'echo 1 | read "{X}"',
}

CALCULATED_IN_BASH = {
    "double parentheses": f"(( {X} ))",
    "loop": f"for (( i = 0; i < {X}; i++ )); do break; done",
    "brackets": f": $[ {X} ]",
    "let": f'let "y = {X}"',
    "double brackets": f"[[ {X} -eq 1 ]]",
    "double brackets, right": f'[[ 1 -gt "{X}" ]]',
    "is set": f"[[ -v {X} ]] || [ -v {X} ]",
    "subscript": f"a[{X}]=1",
    "subscript of an expansion": f': "${{a[{X}]}}"',
    "subscript in a list": f"a=([{X}]=1)",
    "offset": f'y=abc; : "${{y:{X}}}" "${{y:0:{X}}}"',
    "integer declaration": f"declare -i y={X}",
    "assignment to an integer": f"declare -i y; y={X}",
    "name in a declaration": f'declare "{X}=1"',
    "name for printf": f'printf -v "{X}" a',
}

CALCULATED_IN_ZSH = {
    "subscript without braces": f': "$path[{X}]"',
    "printf": f'printf %d "{X}"',
    "repeat": f"repeat {X} :",
}

AS_DATA_IN_FISH = {
    "unquoted": f"printf '%s' {X} a{X}b",
    "double quotes": f'printf "%s" "a {X} b"',
    "substitutions": f'printf "%s" (printf %s {X}) "$(printf %s "{X}")"',
    "test": f'test "{X}" = {X}; and set y {X}',
    "quoted program": f'"{X}" 2> /dev/null; or true',
    "math": f'math "{X}" 2> /dev/null; or true',
}

REFUSED = {
    "single quotes": f"echo '{X}'",
    "quoted here-document": f"cat <<'EOF'\n{X}\nEOF\n",
    "command": f"{X}",
    "part of a command": f"./{X}",
    "eval": f'eval "echo {X}"',
    "another shell": f'sh -c "echo {X}"',
    "another shell's input": f"sh <<EOF\necho {X}\nEOF\n",
    "trap": f'trap "echo {X}" EXIT',
}


def prepared(script, shell):
    return prepare(Passage(script, source(script)), interpolate=True, shell=shell)


def run(script, value, shell, folder):
    """What the script writes with a value."""
    ready = prepared(script, shell)
    assert ready.problems == ()
    task = Task("t", shell, ready.body, expressions=ready.expressions)
    made = render(task, {("captured", "x"): value}, shell)
    done = subprocess.run(
        [shell, "-c", made.body],
        check=False,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **made.env},
        cwd=folder,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    return done.stdout.decode("utf-8", "replace")


def cases(shells, *tables):
    return [
        pytest.param(shell, script, id=f"{shell}: {name}")
        for shell in shells
        if shutil.which(shell)
        for table in tables
        for name, script in table.items()
    ]


def executed(table, payload, shell, folder):
    """The positions, all of one script and each in a folder of its own, where the value did something."""
    for name in table:
        (folder / name).mkdir()
    steps = [f"cd '{folder / name}'\n{script}\n" for name, script in table.items()]
    out = run("".join((*steps, "echo reached the end\n")), payload, shell, folder)
    assert out.endswith("reached the end\n")
    return [name for name in table if os.listdir(folder / name)]


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize(
    ("shell", "table"),
    [
        pytest.param(shell, table, id=shell)
        for shell, table in (
            ("bash", AS_DATA | AS_DATA_IN_BASH),
            *((shell, AS_DATA) for shell in SHELLS if shell != "bash"),
            ("fish", AS_DATA_IN_FISH),
        )
        if shutil.which(shell)
    ],
)
def test_a_value_is_never_executed_where_it_is_text(shell, table, payload, tmp_path):
    assert executed(table, payload, shell, tmp_path) == []


@pytest.mark.parametrize(
    ("shell", "script"),
    [
        *cases(SHELLS, CALCULATED),
        *cases(["bash", "ksh", "zsh"], CALCULATED_IN_BASH),
        *cases(["zsh"], CALCULATED_IN_ZSH),
    ],
)
def test_where_the_shell_calculates_nothing_but_a_number_gets_there(shell, script, tmp_path):
    for payload in PAYLOADS:
        with pytest.raises(RenderError):
            run(script, payload, shell, tmp_path)
    run(script, "1", shell, tmp_path)

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("shell", "script"), cases(SHELLS, REFUSED))
def test_where_a_value_could_not_be_data_the_cell_is_refused(shell, script):
    assert len(prepared(script, shell).problems) == 1


@pytest.mark.parametrize("payload", [*PAYLOADS, "", " a  b ", "é✓", "\\n", pytest.param("x" * 100_000, id="long")])
@pytest.mark.parametrize("shell", [shell for shell in SHELLS if shutil.which(shell)])
def test_a_quoted_value_arrives_byte_for_byte(shell, payload, tmp_path):
    out = run(f'printf "%s|%s" "{X}" "$(printf %s "{X}")"', payload, shell, tmp_path)

    assert out == f"{payload}|{payload.rstrip(chr(10))}"


def test_an_unquoted_value_is_split_and_globbed_as_text_is(tmp_path):
    (tmp_path / "file").touch()

    assert run(f"printf '<%s>' {X}", "a  b\nc f*", "bash", tmp_path) == "<a><b><c><file>"
