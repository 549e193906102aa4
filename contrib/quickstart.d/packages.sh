# Installing Debian packages, only the missing ones. Sourced by contrib/quickstart and tests/run.

packages_build="gcc libc6-dev cmake ninja-build pkg-config libssh-dev libsodium-dev libseccomp-dev libzstd-dev
  libprotobuf-c-dev protobuf-c-compiler libpg-query-dev libssl-dev libsqlite3-dev libyaml-dev libpq-dev
  libcjose-dev libjansson-dev zlib1g-dev libcurl4-openssl-dev libhttp-parser-dev libvterm-dev libtree-sitter-dev"
# The grammar of bash comes from npm (contrib/fetch-grammar): any that is there is good, Debian's is not installed beside
# another.
command -v node >/dev/null && command -v npm >/dev/null || packages_build="$packages_build nodejs npm"
# The pattern engine: Hyperscan is for x86 alone, Vectorscan has the same interface.
case $(uname -m) in
x86_64) packages_build="$packages_build libhyperscan-dev" ;;
*) packages_build="$packages_build libvectorscan-dev" ;;
esac
packages_use="ca-certificates openssh-client postgresql postgresql-client"
# For `ssh bastion kubectl`; one from elsewhere stands in the way of Debian's.
command -v kubectl >/dev/null || packages_use="$packages_use kubernetes-client"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The parse nodes' headers carry PostgreSQL's major version in their package name.
postgresql_headers() {
    local major
    if ls -d /usr/include/postgresql/*/server >/dev/null 2>&1; then return 0; fi
    major=$(apt-cache show postgresql 2>/dev/null | sed -n 's/^Depends:.*postgresql-\([0-9][0-9]*\).*/\1/p' | head -n 1)
    echo "postgresql-server-dev-${major:?apt knows no package postgresql}"
}

apt_install() {
    echo "+ apt-get install $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null
}

# Debian's server package makes and starts a cluster of its own. Nobody asked for one here: ours live in
# private directories.
install_postgresql() {
    local conf=/etc/postgresql-common/createcluster.conf
    apt_install postgresql-common || return
    as_root cp -p "$conf" "$conf.before"
    as_root pg_conftool "$conf" set create_main_cluster off
    apt_install postgresql
    local status=$?
    as_root mv "$conf.before" "$conf"
    return $status
}

# install_missing PACKAGE…
install_missing() {
    local missing=() headers package
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    headers=
    ls -d /usr/include/postgresql/*/server >/dev/null 2>&1 || headers=wanted
    if [ ${#missing[@]} = 0 ] && [ -z "$headers" ]; then
        echo "packages: all $# are installed"
        return 0
    fi
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        echo "missing packages, and neither root nor sudo to install them: ${missing[*]}" >&2
        return 1
    fi
    echo "+ apt-get update"
    as_root apt-get update -q </dev/null || return
    case " ${missing[*]} " in *" postgresql "*) install_postgresql || return ;; esac
    # shellcheck disable=SC2046
    set -- "${missing[@]}" $(postgresql_headers)
    [ $# = 0 ] || apt_install "$@"
}
