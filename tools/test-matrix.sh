#!/usr/bin/env bash
# Runs the quick tests on every supported Python found on this machine that
# .venv is not made of, each in an environment of its own (.venv-3.12, ...).
set -euo pipefail

VENV=${VENV:-.venv}
# An hour is all there is. With .venv's Python alone: the dashboard's process, the doctor, the
# files for other programs, what the native exporter and the threads of metrics do by
# themselves, what feeds on mutated input, and what measures.
left_out=""
for tests in web receiver store production terminal launcher/test_dashboard.py \
  doctor alerts grafana kubernetes stack bench overhead masking/test_linear.py \
  export spool fuzz references metrics/test_port.py metrics/test_history.py; do
  left_out+=" --ignore=tests/$tests"
done

# Built to be tested, not to be measured: in parts, on all cores, where the release is linked as
# one part on one core, and without optimisation. .venv has the release's settings.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
export CARGO_PROFILE_RELEASE_OPT_LEVEL=0

main=$("$VENV/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
tested=()
failed=()
while read -r version python; do
  if [[ $version == "$main" ]]; then continue; fi
  echo "==> Python $version ($python)"
  if make test-quick VENV=".venv-$version" PYTHON="$python" PYTEST_ARGS="$left_out" </dev/null; then
    tested+=("$version")
  else
    failed+=("$version")
  fi
done < <(tools/setup.sh pythons)

for version in 3.11 3.12 3.13 3.14; do
  if [[ $version == "$main" ]]; then
    echo "Python $version: the one of $VENV, tested by make test"
  elif [[ " ${tested[*]-} " == *" $version "* ]]; then
    echo "Python $version: quick tests passed"
  elif [[ " ${failed[*]-} " == *" $version "* ]]; then
    echo "Python $version: quick tests FAILED"
  else
    echo "Python $version: not found here, not tested"
  fi
done
if ((${#failed[@]})); then exit 1; fi
