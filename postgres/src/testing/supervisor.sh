# Runs a PostgreSQL server for as long as the process that started this script lives. Standard input is a pipe from that
# process, and the system closes it however the process ends; then the server is stopped and its folder is removed.
#
# $1 is the folder, $2 holds the binaries, the rest are options of the server. Each line of standard input is an order:
# `restart` ends the server as a crash would and starts it again. Each start is answered by the line `ready` on standard
# output; a server that does not start, by the last lines of its log and the end of this script.

folder=$1
binaries=$2
shift 2
exec 2>>"$folder/log"

start() {
    # A server that crashed leaves the file behind, and what it says of the old one would be taken for the new one's.
    rm -f "$folder/data/postmaster.pid"
    "$binaries/postgres" "$@" </dev/null >>"$folder/log" 2>&1 &
    server=$!
    tries=0
    # The eighth line tells the server's state.
    until [ "$(sed -n '8s/ *$//p' "$folder/data/postmaster.pid")" = ready ]; do
        tries=$((tries + 1))
        if [ "$tries" -gt 3000 ] || ! kill -0 "$server"; then
            give_up
        fi
        sleep 0.02
    done
    echo ready
}

stop() {
    if [ -n "$server" ]; then
        kill -QUIT "$server"
        wait "$server"
        server=
    fi
}

give_up() {
    # What this script's own commands said is of no help.
    grep -v -e '^sed: ' -e 'kill: ' "$folder/log" | tail -n 12
    exit 1
}

clean_up() {
    stop
    rm -rf "$folder"
}

server=
trap clean_up EXIT
# PIPE: whoever waits for an answer may be gone.
trap 'exit 1' HUP INT PIPE TERM

"$binaries/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync \
    </dev/null >>"$folder/log" 2>&1 || give_up
# Nothing is lost while the machine runs, and tests take a fraction of the time. Not an option: a benchmark sets it otherwise.
printf 'fsync = off\nfull_page_writes = off\n' >>"$folder/data/postgresql.conf"
start "$@"
while read -r order; do
    case $order in
    restart)
        stop
        start "$@"
        ;;
    esac
done
