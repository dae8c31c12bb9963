# shellcheck shell=bash
# Sourced by run: brings the programs that the checks use and the machine lacks, by the machine's ordinary clients.
# What cannot be installed is told here and fails the checks that need it. Leaves `aws` on the PATH, kept for the next run.

tools_cache="${MILLRACE_CI_CACHE:-$HOME/.cache/millrace}"

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
  aws --version >/dev/null 2>&1 || bring_aws || echo "pip could not install the AWS CLI"
  tell_versions
}

apt_install() {
  apt-get -q -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -q install -y --no-install-recommends "$@" >/dev/null
}

bring_aws() {
  echo "installing the AWS CLI into $tools_cache/awscli"
  rm -rf "$tools_cache/awscli"
  # Debian's python3 comes without venv; its package brings that.
  python3 -m venv "$tools_cache/awscli" 2>/dev/null ||
    { apt_install python3-venv && python3 -m venv --clear "$tools_cache/awscli"; } || return
  "$tools_cache/awscli/bin/pip" install --quiet --disable-pip-version-check awscli
}

tell_versions() {
  local line told
  for line in 'node --version' 'npm --version' 'java -version' 'mvn -version' 'aws --version' 'kcat -V'; do
    told="$($line 2>&1)" || told=missing
    printf '%-8s %s\n' "${line%% *}" "$(grep -m 1 -e '[0-9]\.[0-9]' -e missing <<<"$told" | sed 's|\x1b\[[0-9;]*m||g' | cut -c 1-80)"
  done
}
