#!/usr/bin/env bash
# The steps of `make setup`, one function each: tools/setup.sh STEP.
#
#   venv      create $VENV from $PYTHON, with uv in it
#   packages  install what uv.lock names
#   native    install the project editable, its Rust extension built
#   redis     make sure that redis-server is there
#   prometheus  install prometheus, promtool and Alertmanager where that is possible
#   chromium  install chromium, which the tests of the pages drive, where possible
#   pythons   print "VERSION PATH" of every supported Python found here
#
# The Makefile decides when a step is due (stamps); a step only does it. Nothing
# here downloads a toolchain or an interpreter.
set -euo pipefail

VENV=${VENV:-.venv}
PYTHON=${PYTHON:-}
export UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=$VENV
export UV_SYSTEM_CERTS=true # a company's own certificate authority counts, as it does for pip
unset VIRTUAL_ENV # another active environment is not the one to fill

say() { printf '==> %s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# A name on PATH may be a shim that starts nothing, so every candidate is run.
runs_311() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  if [[ -n $PYTHON ]]; then
    runs_311 "$PYTHON" || fail "PYTHON=$PYTHON is not a Python >= 3.11 that runs here."
    echo "$PYTHON"
    return
  fi
  local candidate
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if runs_311 "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  fail "No Python >= 3.11 was found on PATH. Install one, or name it: make setup PYTHON=/path/to/python3.12"
}

# That of .venv makes the environments of the other Pythons.
find_uv() { command -v "$VENV/bin/uv" || command -v uv || command -v .venv/bin/uv; }

step_venv() {
  local python uv
  python=$(find_python)
  say "Creating $VENV with $("$python" --version)"
  rm -rf "$VENV"
  if uv=$(find_uv); then
    "$uv" venv --quiet --python "$("$python" -c 'import sys; print(sys.executable)')" "$VENV"
  else
    "$python" -m venv "$VENV" ||
      fail "$python cannot create environments. Install its venv module (Debian: apt-get install python3-venv) or uv."
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check uv
  fi
}

step_packages() {
  say "Installing the packages of uv.lock into $VENV"
  "$(find_uv)" sync --quiet --locked --inexact --no-install-project
}

step_native() {
  local suffix
  suffix=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
  if [[ ${NATIVE:-1} == 0 ]]; then
    say "NATIVE=0: installing without the native engine, the sdk engine takes over"
    export CARGO=/nonexistent/cargo
  elif ! command -v cargo >/dev/null; then
    NATIVE=0
    say "cargo was not found: installing without the native engine, the sdk engine takes over. Install Rust >= 1.85 and run this again to build it."
  else
    say "Building the native engine (native/); the first time takes a minute or two"
  fi
  # Cargo gives the module's file one name for every Python and every copy of
  # the sources, so each environment has a target folder of its own: in a shared
  # one, a build took another's file for fresh and missed an edit.
  CARGO_TARGET_DIR=$(realpath "$VENV")/cargo
  export CARGO_TARGET_DIR
  # A module or build folder left from before would be installed again in
  # silence where this build fails.
  rm -rf build "clarity_otel/_native$suffix"
  "$(find_uv)" pip install --quiet --python "$VENV/bin/python" --no-deps --no-build-isolation \
    --reinstall-package clarity-otel --editable .
  if [[ ${NATIVE:-1} != 0 ]] && ! "$VENV/bin/python" -c 'import clarity_otel._native'; then
    # `optional = true` let the install pass; cargo says what is wrong.
    PYO3_BUILD_EXTENSION_MODULE=1 PYO3_PYTHON=$(realpath "$VENV")/bin/python \
      cargo rustc --manifest-path native/Cargo.toml --lib --release --locked --crate-type cdylib >&2 || true
    fail "cargo is installed, but clarity_otel._native was not built or does not import: see the messages above. To go on with the sdk engine alone, add NATIVE=0 to the make command."
  fi
}

step_redis() {
  if command -v redis-server >/dev/null; then return; fi
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    say "Installing redis-server"
    apt-get update -qq </dev/null
    # Runlevel 1 keeps the package from starting a server of its own on 6379.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server </dev/null
  else
    fail "redis-server is needed and was not found. Install it (Debian: apt-get install redis-server, macOS: brew install redis) and run this again."
  fi
}

# The tests that need a real Prometheus or Alertmanager are skipped without it, with a reason.
step_prometheus() {
  if command -v prometheus >/dev/null && command -v promtool >/dev/null &&
    command -v prometheus-alertmanager >/dev/null; then return; fi
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    say "Installing prometheus and Alertmanager, which tests of metrics and alerts use"
    apt-get update -qq </dev/null
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends prometheus prometheus-alertmanager </dev/null ||
      say "prometheus or Alertmanager could not be installed: tests that need it are skipped"
  fi
}

# The tests of the dashboard's pages are skipped without it, with a reason.
step_chromium() {
  if command -v chromium >/dev/null; then return; fi
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    say "Installing chromium, which the tests of the dashboard's pages drive"
    apt-get update -qq </dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium </dev/null ||
      say "chromium could not be installed: tests that need it are skipped"
  fi
}

step_pythons() {
  local version candidate
  for version in 3.11 3.12 3.13 3.14; do
    for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python; do
      if "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null; then
        echo "$version $candidate"
        break
      fi
    done
  done
}

case ${1:-} in
  venv | packages | native | redis | prometheus | chromium | pythons) "step_$1" ;;
  *) fail "tools/setup.sh needs a step: venv, packages, native, redis, prometheus, chromium or pythons." ;;
esac
