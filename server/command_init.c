/* gatehouse init DIR: everything that a bastion needs to start, with nothing shared with any other. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "replay/init.h"
#include "server/gatehouse.h"
#include "server/keys.h"
#include "vault/admin.h"

/* Valid as it is: it starts, and lets nobody do anything until a target and a rule are added. */
static const char sample[] =
    "# Gatehouse. Reference: docs/configuration.md. Check with: gatehouse check -c THIS_FILE\n"
    "# Relative paths are relative to `state`.\n"
    "listen: [\"127.0.0.1:2222\"]          # also \"[::1]:2222\"\n"
    "state: \"%s\"\n"
    "host_keys: [host_ed25519]\n"
    "drain: 30s\n"
    "\n"
    "identity:\n"
    "  user_ca: user_ca                   # signs the certificates that enroll@ gives out\n"
    "  trusted_cas: []                    # public key files of further CAs\n"
    "# revoked: revoked.krl               # an OpenSSH KRL, or lines \"serial:N\" and \"id:NAME\"\n"
    "  certificate: { lifetime: 15m, bind_source_address: false }\n"
    "  issuers:\n"
    "    - name: local                    # ours: gatehouse token mints with its key\n"
    "      issuer: urn:gatehouse:local\n"
    "      audience: gatehouse\n"
    "      key_file: local_issuer\n"
    "#   - name: corp                     # an OpenID provider\n"
    "#     issuer: https://idp.example.com\n"
    "#     audience: gatehouse\n"
    "#     client_id: gatehouse-cli       # for the device flow: ssh -t enroll@...\n"
    "#     username_claim: email          # default: sub\n"
    "#     groups_claim: groups\n"
    "\n"
    "# Who holds a role, by what their token says. A token, and a certificate for it:\n"
    "#   gatehouse token -c %s/gatehouse.yaml --issuer local --sub agent-7 --claim groups=agents \\\n"
    "#     | ssh -p 2222 -i id_ed25519 enroll@127.0.0.1 > id_ed25519-cert.pub\n"
    "roles:\n"
    "  - name: agent\n"
    "    match: { issuer: local, groups: [agents] }\n"
    "  - name: dba\n"
    "    match: { issuer: local, groups: [dba] }\n"
    "    may: [replay, revoke]            # sees everybody's recordings; takes certificates back\n"
    "\n"
    "# targets:\n"
    "#   - name: orders\n"
    "#     kind: postgres\n"
    "#     address: 127.0.0.1:5432        # or unix:/run/postgresql/.s.PGSQL.5432\n"
    "#     database: orders\n"
    "#     login: app\n"
    "#     credential: orders-app         # gatehouse vault set orders-app --type password < FILE\n"
    "#     tls: disable                   # disable | require | verify-ca | verify-full (default)\n"
    "\n"
    "# Top down, the first match decides each effect of a statement; nothing matches: deny.\n"
    "# rules:\n"
    "#   - name: no-files\n"
    "#     targets: [orders]\n"
    "#     match:\n"
    "#       - statements: [copy_program, copy_file]\n"
    "#       - functions: [pg_read_file, lo_export, dblink_exec]\n"
    "#     action: deny\n"
    "#     reason: \"reads or writes the server's files\"\n"
    "#   - name: agent-sql\n"
    "#     roles: [agent]\n"
    "#     targets: [orders]\n"
    "#     match: { statements: [select, insert, explain, show, set, transaction] }\n"
    "#     action: allow\n"
    "\n"
    "recording: { durability: written, output_limit: 64MiB }\n";

static int check_empty(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        return errno == ENOENT ? 0 : gatehouse_fail(EXIT_DATA, "%s: %s", path, strerror(errno));
    int entries = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        entries += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    (void)closedir(directory);
    return entries ? gatehouse_fail(EXIT_DATA, "%s is not empty: give a new directory", path) : 0;
}

static int write_sample(const char *state)
{
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/gatehouse.yaml", state);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return gatehouse_fail(EXIT_DATA, "%s: %s", path, strerror(errno));
    int n = dprintf(fd, sample, state, state);
    return close(fd) < 0 || n < 0 ? gatehouse_fail(EXIT_DATA, "%s: %s", path, strerror(errno)) : 0;
}

static int make_keys(const char *state, struct detail *detail)
{
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/host_ed25519", state);
    int r = keys_generate(path, "gatehouse host key", detail);
    if (r)
        return r;
    (void)snprintf(path, sizeof path, "%s/user_ca", state);
    r = keys_generate(path, "gatehouse user CA", detail);
    if (r)
        return r;
    (void)snprintf(path, sizeof path, "%s/local_issuer", state);
    return keys_generate_pem(path, detail);
}

int gatehouse_init(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] == '-')
        return gatehouse_fail(EXIT_USAGE, "init DIR");
    int r = check_empty(argv[1]);
    if (r)
        return r;
    if (mkdir(argv[1], 0700) < 0 && (errno != EEXIST || chmod(argv[1], 0700) < 0))
        return gatehouse_fail(EXIT_DATA, "%s: %s", argv[1], strerror(errno));
    CLEANUP(free) char *state = realpath(argv[1], NULL);
    struct detail detail = { "" };
    if (!state || strlen(state) > 4000)
        return gatehouse_fail(EXIT_DATA, "%s: %s", argv[1], state ? "too long" : strerror(errno));
    if (make_keys(state, &detail) || vault_admin_init(state, &detail) || replay_init(state, &detail))
        return gatehouse_fail(EXIT_DATA, "%s", detail.text);
    r = write_sample(state);
    if (r)
        return r;
    (void)printf("%s is ready: host key, user CA, local issuer, vault, audit key, gatehouse.yaml\n"
                 "next: edit %s/gatehouse.yaml, then: gatehouse serve -c %s/gatehouse.yaml\n",
                 state, state, state);
    return 0;
}
