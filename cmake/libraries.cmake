# Third-party libraries. An executable's link list is its privileges: name them there, one by one.
# NAME:module of pkg-config:Debian's package
foreach(entry "SSH:libssh>=0.10:libssh-dev" "SODIUM:libsodium:libsodium-dev" "CRYPTO:libcrypto:libssl-dev"
              "YAML:yaml-0.1:libyaml-dev" "PQ:libpq:libpq-dev" "SQLITE:sqlite3:libsqlite3-dev" "ZSTD:libzstd:libzstd-dev"
              "SECCOMP:libseccomp:libseccomp-dev" "CURL:libcurl>=7.87:libcurl4-openssl-dev" "CJOSE:cjose:libcjose-dev"
              "JANSSON:jansson:libjansson-dev" "ZLIB:zlib:zlib1g-dev" "HS:libhs:libhyperscan-dev" "VTERM:vterm:libvterm-dev"
              "TREE_SITTER:tree-sitter:libtree-sitter-dev")
  string(REPLACE ":" ";" entry ${entry})
  list(GET entry 0 name)
  list(GET entry 1 module)
  list(GET entry 2 package)
  pkg_check_modules(${name} QUIET IMPORTED_TARGET ${module})
  if(NOT ${name}_FOUND)
    message(SEND_ERROR "${module} is missing: install Debian's package ${package}")
  else()
    message(STATUS "${module}: ${${name}_VERSION}")
  endif()
endforeach()
if(GATEHOUSE_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

# It comes without a module of pkg-config.
find_library(HTTP_PARSER_LIBRARY NAMES http_parser REQUIRED)
find_path(HTTP_PARSER_INCLUDE http_parser.h REQUIRED)

# protobuf-c is linked statically: messages are part of base/, and so of every process (docs/adr).
find_library(PROTOBUF_C_ARCHIVE NAMES libprotobuf-c.a REQUIRED)
find_program(PROTOC_C protoc-c REQUIRED)

# PostgreSQL's parser and the headers of its parse nodes.
find_library(PG_QUERY_LIBRARY NAMES pg_query REQUIRED)
find_path(PG_QUERY_INCLUDE pg_query.h REQUIRED)
# libpg_query's own header names the PostgreSQL release whose grammar it holds; policy/sql.c checks it again.
file(STRINGS ${PG_QUERY_INCLUDE}/pg_query.h PG_MAJOR REGEX "define PG_MAJORVERSION ")
string(REGEX MATCH "[0-9]+" PG_MAJOR "${PG_MAJOR}")
find_path(PG_SERVER_INCLUDE postgres.h PATHS /usr/include/postgresql/${PG_MAJOR}/server NO_DEFAULT_PATH REQUIRED)
