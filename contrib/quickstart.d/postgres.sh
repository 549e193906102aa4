# A PostgreSQL of our own in a private directory: never the one that may run here already. Sourced.

# PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups "$@")
    else
        "$@"
    fi
}

free_port() {
    local port
    for _ in $(seq 50); do
        port=$((20000 + RANDOM % 12000))
        # Nobody answers there: nobody listens.
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return 0; }
    done
    echo "found no free port" >&2
    return 1
}

# start_postgres DIRECTORY PORT PASSWORD: the shop in database `shop`, login `shop_app`. Sets postgres_pid.
start_postgres() {
    local directory=$1 port=$2 password=$3 bin
    bin=$(dirname "$(ls -v /usr/lib/postgresql/*/bin/postgres | tail -n 1)")
    mkdir -p "$directory"
    [ "$(id -u)" != 0 ] || chown postgres "$directory"
    as_postgres "$bin/initdb" -D "$directory/data" -U postgres -E UTF8 --locale=C.UTF-8 --auth-local=peer \
        --auth-host=scram-sha-256 --no-sync >"$directory.log" 2>&1 || return
    as_postgres tee "$directory/data/pg_hba.conf" >/dev/null <<'END'
local all postgres peer map=owner
host  all all 127.0.0.1/32 scram-sha-256
END
    as_postgres tee "$directory/data/pg_ident.conf" >/dev/null <<END
owner $([ "$(id -u)" = 0 ] && echo postgres || id -un) postgres
END
    as_postgres "$bin/postgres" -D "$directory/data" -c listen_addresses=127.0.0.1 -c port="$port" \
        -c unix_socket_directories="$directory" >>"$directory.log" 2>&1 </dev/null &
    wait_for 30 "PostgreSQL" as_postgres "$bin/pg_isready" -q -h "$directory" -p "$port" || return
    postgres_pid=$(as_postgres head -n 1 "$directory/data/postmaster.pid") # the job is a shell around it
    fill_shop "$directory" "$port" "$password"
}

fill_shop() { # fill_shop DIRECTORY PORT PASSWORD: the password goes in by stdin, never by argv
    {
        echo "CREATE ROLE shop_app LOGIN PASSWORD '$3';"
        echo "CREATE DATABASE shop OWNER shop_app;"
        echo "\\connect shop"
        echo "SET ROLE shop_app;"
        cat "$here/quickstart.d/shop.sql"
    } | as_postgres psql -X -q -v ON_ERROR_STOP=1 -h "$1" -p "$2" -U postgres -d postgres >>"$1.log" 2>&1
}
