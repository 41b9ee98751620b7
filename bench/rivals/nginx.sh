# shellcheck shell=bash
# For the rivals that are nginx: two workers, each with its own listening socket, no log, connections
# without end. PORT is where to listen, KEYS the folder of the key set; the folder is nginx's own.
set -euo pipefail

# serve: nginx with the rest of its http block from standard input; LOAD holds lines for modules.
serve() {
    {
        cat <<END
${LOAD:-}
daemon off;
worker_processes 2;
pid $PWD/nginx.pid;
error_log stderr error;
events { worker_connections 8192; }
http {
    access_log off;
    default_type text/plain;
    keepalive_requests 1000000000;
    client_body_temp_path $PWD/body;
    proxy_temp_path $PWD/proxy;
    fastcgi_temp_path $PWD/fastcgi;
    uwsgi_temp_path $PWD/uwsgi;
    scgi_temp_path $PWD/scgi;
END
        cat
        echo "}"
    } >nginx.conf
    exec nginx -p "$PWD" -c "$PWD/nginx.conf" -e stderr
}

# map_keys: the map from a key's text to what limit it has.
map_keys() {
    sed 's/.*/& roomy;/' "$KEYS/keys.txt"
    sed 's/.*/& low;/' "$KEYS/limited.txt"
}

count_keys() { cat "$KEYS/keys.txt" "$KEYS/limited.txt" | wc -l; }
