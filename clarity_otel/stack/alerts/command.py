"""`clarity alerts`: rules of your own beside ours, checked before Prometheus loads them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer

from clarity_otel.stack.alerts import names
from clarity_otel.stack.alerts.generate import rule_files
from clarity_otel.stack.alerts.groups import RECORDINGS
from clarity_otel.stack.alerts.rule import RUNBOOKS_URL

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Check and test rules of Prometheus."
)
_TESTS = "tests/alerts"
_Promtool = Annotated[str, typer.Option(help="promtool, where it is not on PATH.")]
_NO_PROMTOOL = "promtool was not found: install Prometheus, or name it with --promtool."


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Rule files of Prometheus.")],
    promtool: _Promtool = "promtool",
) -> None:
    """Check rule FILES: PromQL by promtool, and that somebody writes the metrics they name.

    Exit code 0 when nothing is wrong, 1 when something is. A label that a metric of ours does
    not have is told and is no error: relabelling may add it.
    """
    findings, remarks, rules = [], [], 0
    read = {file: _read(file) for file in files}
    recorded = {
        *_recorded_by_us(),
        *(str(rule["record"]) for found in read.values() for rule in found if "record" in rule),
    }
    for file, found in read.items():
        rules += len(found)
        for rule in found:
            about = f"{file}: {rule.get('alert') or rule.get('record')}"
            exprs = [str(rule.get("expr", ""))]
            findings += [f"{about}: {text}" for text in names.unwritten(exprs, recorded)]
            remarks += [f"{about}: {text}" for text in names.unlabelled(exprs)]
    for sentence in (*findings, *remarks):
        typer.echo(sentence, err=True)
    wrong = bool(findings)
    if program := shutil.which(promtool):
        run = subprocess.run(
            [program, "check", "rules", *map(str, files)], capture_output=True, text=True
        )
        if run.returncode:
            typer.echo((run.stderr + run.stdout).strip(), err=True)
            wrong = True
    else:
        typer.echo(f"PromQL is not checked: {_NO_PROMTOOL}", err=True)
    if wrong:
        raise typer.Exit(1)
    typer.echo(f"{rules} rules in {len(files)} files: nothing is wrong.")


@app.command("test")
def run_tests(
    files: Annotated[
        list[Path] | None, typer.Argument(help=f"Test files; {_TESTS}/*_test.yml by default.")
    ] = None,
    promtool: _Promtool = "promtool",
) -> None:
    """Run promtool's unit tests of rules; the exit code is promtool's."""
    chosen = files or sorted(Path(_TESTS).glob("*_test.yml"))
    if not chosen:
        typer.echo(f"There is no {_TESTS}/*_test.yml here: name the test files.", err=True)
        raise typer.Exit(1)
    program = shutil.which(promtool)
    if program is None:
        typer.echo(_NO_PROMTOOL, err=True)
        raise typer.Exit(1)
    run = subprocess.run([program, "test", "rules", *map(str, chosen)])
    raise typer.Exit(run.returncode)


@app.command()
def write(
    folder: Annotated[Path, typer.Argument(help="Where the two rule files go.")],
    runbooks: Annotated[
        str, typer.Option(help="Address below which the pages of docs/runbooks are.")
    ] = RUNBOOKS_URL,
) -> None:
    """Write our alert-rules.yml and recording-rules.yml into FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in rule_files(runbooks).items():
        (folder / name).write_text(text, encoding="utf-8")
        typer.echo(folder / name)


def _recorded_by_us() -> set[str]:
    return {rule.name for rule in RECORDINGS}


def _read(file: Path) -> list[dict[str, Any]]:
    """Return the rules of a file; a sentence and exit code 1 where it is none."""
    try:
        import yaml
    except ModuleNotFoundError:
        typer.echo("Rule files are YAML: pip install 'clarity-otel[stack]'.", err=True)
        raise typer.Exit(1) from None
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return [rule for group in content["groups"] for rule in group["rules"]]
    except OSError as error:
        typer.echo(f"{file} cannot be read: {error.strerror}.", err=True)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        typer.echo(f"{file} is not YAML: {error}", err=True)
    except (KeyError, TypeError):
        typer.echo(f"{file} is no rule file: it needs groups, and each group rules.", err=True)
    raise typer.Exit(1)
