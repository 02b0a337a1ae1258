"""Places in shell scripts, as bash and its relatives read them."""

from __future__ import annotations

import pytest

from spry.core.shellscan import scan
from spry.core.template import marks

X, Y, Z = "${captured.x}", "${captured.y}", "${captured.z}"


def contexts(script, shell="bash"):
    spans = [(mark.start, mark.end) for mark in marks(script)]
    return scan(script, spans, shell)


QUOTES = [
    (f"echo {X}", ["plain"]),
    (f'echo "{X}"', ["double"]),
    (f"echo '{X}'", ["single"]),
    (f"echo $'\\'{X}'", ["single"]),
    (f'echo "it\'s {X}"', ["double"]),
    (f"echo \"'{X}'\"", ["double"]),
    (f"echo \"a\"'b'\"{X}\"'c'", ["double"]),
    (f"echo \\{X}", ["escaped"]),
    (f"echo \\\\{X}", ["plain"]),
    (f'echo "\\{X}"', ["escaped"]),
    (f'echo "\\\\{X}"', ["double"]),
    (f"echo ${X}", ["escaped"]),
    (f"echo \\'{X}", ["plain"]),
    (f'echo "a\nb # c \'\n{X}"', ["double"]),
    (f"echo '\n' {X}", ["plain"]),
]

COMMENTS = [
    (f"# {X}\necho {Y}", ["comment", "plain"]),
    (f"echo a # it's {X}\necho {Y}", ["comment", "plain"]),
    (f"echo a#{X}", ["plain"]),
    (f"echo $# {X}", ["plain"]),
    (f"echo ${{#a}} {X}", ["plain"]),
    (f'echo "${{a#b}} # {X}"', ["double"]),
    (f"true;# {X}", ["comment"]),
    (f"(# {X}\necho {Y})", ["comment", "plain"]),
    (f"echo `# {X}`; echo {Y}", ["comment", "plain"]),
    (f"echo \\# {X}", ["plain"]),
    (f"echo ''# {X}", ["plain"]),
]

NESTED = [
    (f"echo \"$(echo '{X}')\"", ["single"]),
    (f'echo "$(echo "a {X}")" {Y}', ["double", "plain"]),
    (f'echo "$(echo {X})"', ["plain"]),
    (f"echo `echo {X}` '{Y}'", ["plain", "single"]),
    (f"echo \"${{x:-'{X}'}}\"", ["double"]),
    (f"echo ${{x:-'{X}'}}", ["single"]),
    (f"echo \"${{x#'{X}'}}\"", ["single"]),
    (f'echo "${{x:-"{X}"}}" \'{Y}\'', ["double", "single"]),
    (f"echo ${{x:-{X}}} {Y}", ["plain", "plain"]),
    (f'echo "${{x//\\"/{X}}}" \'{Y}\'', ["double", "single"]),
    (f"echo <(echo {X}) '{Y}'", ["plain", "single"]),
    (f"echo ${{ echo '{X}'; }} {Y}", ["single", "plain"]),
    (f"a=({X} \"{Y}\" '{Z}')", ["plain", "double", "single"]),
    (f"echo !(a|{X})", ["plain"]),
    (f"echo $((echo {X}); echo b)", ["plain"]),
    (f"((echo {X}); echo b)", ["plain"]),
    (f"echo $(( $(cat <<E) ); true)\n{X}\nE\necho {Y}", ["heredoc", "plain"]),
    ("$(" * 5000 + X, ["command"]),
    ('"$(' * 5000 + f"echo {X}", ["plain"]),
]

CASES = [
    (f'echo "$(case a in a) :;; esac) {X}"', ["double"]),
    (f"x=$(case a in a) echo {X};; (b) :;; esac) '{Y}'", ["plain", "single"]),
    (f'case {X} in {Y}) echo {Z};; "{X}"|b) :;; esac; {Y}', ["plain", "plain", "plain", "double", "command"]),
    (f"case a in\n a) case b in b) :;; esac;;\n {X}) ;;\nesac", ["plain"]),
]

HEREDOCS = [
    (f"cat <<EOF\n{X} '{Y}' \"\nEOF\necho '{Z}'", ["heredoc", "heredoc", "single"]),
    (f"cat <<'EOF'\n{X}\nEOF\necho {Y}", ["quoted_heredoc", "plain"]),
    (f'cat <<"EOF"\n{X}\nEOF\necho {Y}', ["quoted_heredoc", "plain"]),
    (f"cat <<\\EOF\n{X}\nEOF\necho {Y}", ["quoted_heredoc", "plain"]),
    (f"cat << EOF\n{X}\n EOF\n{Y}\nEOF\necho {Z}", ["heredoc", "heredoc", "plain"]),
    (f"cat <<-EOF\n\t{X}\n\tEOF\necho {Y}", ["heredoc", "plain"]),
    (f"cat <<EOF\n\\{X}\nEOF", ["escaped"]),
    (f"cat <<EOF\n# {X}\nEOF", ["heredoc"]),
    (f"cat <<EOF\n$(echo \"{X}\" '{Y}')\nEOF", ["double", "single"]),
    (f"cat <<EOF\n$(( {X} ))\nEOF", ["arithmetic"]),
    (f"cat <<A <<'B'\n{X}\nA\n{Y}\nB\necho {Z}", ["heredoc", "quoted_heredoc", "plain"]),
    (f"cat <<EOF | sed 's/{X}/b/'\n{Y}\nEOF", ["single", "heredoc"]),
    (f"cat <<< {X}\necho '{Y}'", ["plain", "single"]),
    (f"echo $(cat <<EOF\n{X}\nEOF\n) '{Y}'", ["heredoc", "single"]),
    (f"cat <<EOF\na\\\nEOF\n{X}\nEOF\necho {Y}", ["heredoc", "plain"]),
    (f"echo $((1<<2)) {X}\n2\n{Y}", ["plain", "command"]),
    (f"cat <<EOF\n{X}", ["heredoc"]),
]

ARITHMETIC = [
    f"echo $(( {X} + 1 ))",
    f"echo $(( (1) + {X} ))",
    f'echo $(( "{X}" ))',
    f'echo "$(( {X} ))"',
    f"(( {X} > 1 ))",
    f"if (( {X} )); then :; fi",
    f"for ((i = 0; i < {X}; i++)); do :; done",
    f"echo $[ {X} ]",
    f"echo ${{x:{X}}}",
    f'echo "${{x:1:{X}}}"',
    f"echo ${{x[{X}]}}",
    f'echo "${{#x[{X}]}}"',
    f"a[{X}]=1",
    f"a[{X}]+=1 b=2 cmd",
    f"a=([{X}]=1)",
    f"let x={X}",
    f'let "x = {X}"',
    f"[[ {X} -eq 1 ]]",
    f'[[ 1 -lt "{X}" ]]',
    f"[[ a == b && ( 1 -ge {X} ) ]]",
    f'[ "{X}" -gt 1 ]',
    f'test 1 -ne "{X}" && :',
    f"[[ -v {X} ]]",
    f"declare -i n={X}",
    f"local -ri n={X}",
    f"declare {X}",
    f"declare a[{X}]=1",
    f"declare -i n; f; n={X}",
    f"n={X}; typeset -i n",
    f'unset "{X}"',
    f"read -r {X}",
    f"printf -v {X} a",
    f"exit {X}",
    f"x=1 command let {X}",
]

NO_ARITHMETIC = [
    (f"ls x[{X}]", "plain"),
    (f"[[ {X} == 1 ]]", "plain"),
    (f"[[ a =~ ^(b|{X})$ ]]", "plain"),
    (f'[ -n "{X}" ]', "double"),
    (f"declare n={X}", "plain"),
    (f'export A=1 B="{X}"', "double"),
    (f"n={X}", "plain"),
    (f'read -p "{X}" y', "double"),
    (f"printf '%d' {X}", "plain"),
    (f"echo let {X}", "plain"),
    (f"echo $(( $(wc -l < {X}) ))", "plain"),
]

COMMANDS = [
    f"{X} a",
    f"./{X}/bin a",
    f"exec {X}",
    f"a | {X}",
    f"a && {X}",
    f"if {X}; then :; fi",
    f"{{ {X}; }}",
    f"( {X} )",
    f"A=1 {X}",
    f">f {X}",
    f"echo $({X})",
    f"! {X}",
]

NO_COMMANDS = [
    (f'"{X}" a', "double"),
    (f"A={X} b", "plain"),
    (f"for x in {X}; do :; done", "plain"),
    (f"echo > {X}", "plain"),
    (f"2>&1 echo {X} 2>/dev/null", "plain"),
    (f"f() {{ echo {X}; }}", "plain"),
    (f"echo a \\\n  {X}", "plain"),
    (f"while read -r l; do :; done < {X}", "plain"),
    (f"echo a &>{X}", "plain"),
]

CODE = [
    f'eval "echo {X}"',
    f"\\eval {X}",
    f"function f {{ eval {X}; }}",
    f'trap "rm {X}" EXIT',
    f"alias a={X}",
    f'bash -c "echo {X}"',
    f"sudo -E /bin/sh -ec {X}",
    f'docker exec app sh -c "{X}"',
    f"bash <<EOF\necho {X}\nEOF",
    f"ssh host bash -s a <<EOF | cat\necho {X}\nEOF",
    f'bash <<< "{X}"',
    f"PS4={X}",
]

NO_CODE = [
    (f'bash -c \'echo "$1"\' - "{X}"', "double"),
    (f'bash script.sh "{X}"', "double"),
    (f"bash script.sh <<EOF\n{X}\nEOF", "heredoc"),
    (f'eval "$(echo "{X}")"', "double"),
    (f'echo eval "{X}"', "double"),
]


@pytest.mark.parametrize(("script", "expected"), [*QUOTES, *COMMENTS, *NESTED, *CASES, *HEREDOCS])
def test_every_place_is_what_bash_makes_of_it(script, expected):
    assert contexts(script) == expected


@pytest.mark.parametrize("script", ARITHMETIC)
def test_where_bash_calculates_is_arithmetic(script):
    assert contexts(script) == ["arithmetic"]


@pytest.mark.parametrize(("script", "expected"), [*NO_ARITHMETIC, *NO_COMMANDS, *NO_CODE])
def test_where_bash_takes_a_word_as_it_is_nothing_is_suspected(script, expected):
    assert contexts(script) == [expected]


@pytest.mark.parametrize("script", COMMANDS)
def test_an_unquoted_name_of_a_program_is_a_command(script):
    assert contexts(script) == ["command"]


@pytest.mark.parametrize("script", CODE)
def test_what_a_shell_reads_once_more_is_code(script):
    assert contexts(script) == ["code"]


@pytest.mark.parametrize(
    ("shell", "script", "expected"),
    [
        ("dash", f"echo $'{X}'", ["single"]),
        ("dash", f"((echo {X}); echo b)", ["plain"]),
        ("dash", f"echo $[ '{X}' ]", ["single"]),
        ("dash", f"echo $(( {X} ))", ["arithmetic"]),
        ("zsh", f'echo "$a[{X}]"', ["arithmetic"]),
        ("zsh", f"printf '%5d' {X}", ["arithmetic"]),
        ("zsh", f"printf '%s%%\\n' {X}", ["plain"]),
        ("zsh", f"echo ${{(f)x:-{X}}} '{Y}'", ["plain", "single"]),
        ("ksh", f"printf %d {X}", ["arithmetic"]),
        ("fish", f"echo (echo {X}) '{Y}'", ["plain", "single"]),
        ("fish", f"echo 'it\\'s' {X} # '{Y}'", ["plain", "comment"]),
        ("fish", f'echo "(a $(echo {X})" {Y}', ["plain", "plain"]),
        ("fish", f'echo "\\{X} {Y}"', ["escaped", "double"]),
        ("fish", f"if test a; echo ` {X}; else if {Y}; end", ["plain", "command"]),
        ("fish", f"eval {X}", ["code"]),
        ("fish", f"echo <<'EOF' {X}", ["plain"]),
    ],
)
def test_shells_differ(shell, script, expected):
    assert contexts(script, shell) == expected


@pytest.mark.parametrize(
    "opening",
    ["$((", "$(", "`", "((", "<<E ", "$(cat <<E\n", "case a in a) ", "a[", "${x:", "[[ ", "$((a) ", "\\", "$'", "$"],
)
def test_what_is_never_closed_ends_with_the_script(opening):
    assert len(contexts(opening * 300 + X)) == 1
