/* Programs that run what they are given: shells, languages, and others with an option for it. Of a language
 * other than the shell's nothing is looked into: code in an argument or from a pipe is unknown. A script in a
 * file is a command like any other program. */
#include <string.h>
#include "policy/shell_parts.h"

static const char RUNS[] = "what %s runs";

/* ---- shells ---- */

static const char *const SHELLS[] = { "sh",   "bash", "dash",  "ash",  "ksh",  "ksh93",
                                      "mksh", "zsh",  "rbash", "posh", "yash", NULL };
static const char *const FOREIGN_SHELLS[] = { "fish", "csh",   "tcsh",   "rc",   "es",
                                              "nu",   "xonsh", "elvish", "pwsh", NULL };

static void run_shell(struct shell *shell, const char *name, const struct shell_word *words, size_t n)
{
    bool text = false;
    size_t i = 1;
    for (; i < n && words[i].known && words[i].text[0] == '-'; i++) {
        const char *word = words[i].text;
        static const char *const longs[] = {
            "--norc", "--noprofile", "--posix", "--login", "--verbose", NULL
        };
        if (word[1] == '-' && shell_is_listed(longs, word))
            continue;
        if (strcmp(word, "--version") == 0 || strcmp(word, "--help") == 0)
            return;
        if (word[1] == '\0' || strspn(word + 1, "abefhlmnpruvxBCEHPTc") != strlen(word + 1)) {
            shell_unknown(shell, RUNS, name);
            return;
        }
        text |= strchr(word, 'c') != NULL;
    }
    bool unclear = i == n || words[i].splits || words[i].many || *words[i].text == '+' ||
                   (!words[i].known && strchr("-\x01", *words[i].text));
    if (unclear || (text && shell_is_listed(FOREIGN_SHELLS, name)))
        shell_unknown(shell, RUNS, name);
    else if (text)
        shell_joined(shell, name, words + i, 1);
    else if (strncmp(words[i].text, "/dev/", 5) == 0 || strncmp(words[i].text, "/proc/", 6) == 0)
        shell_unknown(shell, RUNS, name);
}

/* ---- other languages ---- */

static const struct {
    const char *name, *harmless; /* letters of options after which the next word is the script */
} LANGUAGES[] = {
    { "python", "bBdEhIOPqRsSuvVx" },
    { "pypy", "bBdEhIOqRsSuvVx" },
    { "perl", "wWtTcvV" },
    { "ruby", "wvcW" },
    { "node", "vh" },
    { "nodejs", "vh" },
    { "php", "vnlmi" },
    { "lua", "vW" },
    { "tclsh", "" },
    { "wish", "" },
    { "expect", "" },
    { "Rscript", "" },
    { "R", "" },
    { "julia", "vh" },
    { "ghci", "" },
    { "irb", "" },
    { "deno", "" },
    { "bun", "" },
    { "guile", "" },
    { "scheme", "" },
    { "sbcl", "" },
    { "clisp", "" },
    { "octave", "" },
    { "gnuplot", "" },
    { "m4", "" },
    { "dc", "" },
    { "elixir", "" },
    { "erl", "" },
    { "groovy", "" },
    { "jshell", "" },
};

/* python3.11 is python. */
static bool is_language(const char *name, const char *language)
{
    size_t n = strlen(language);
    return strncmp(name, language, n) == 0 && strspn(name + n, "0123456789.") == strlen(name + n);
}

static void run_language(struct shell *shell, const char *name, const char *harmless,
                         const struct shell_word *words, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const char *word = words[i].text;
        if (!words[i].known && (words[i].splits || words[i].many || *word == EFFECT_HOLE || *word == '-'))
            break;
        if (strcmp(word, "--version") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-V") == 0)
            return;
        if (strcmp(word, "-m") == 0 && is_language(name, "python") && i + 1 < n && words[i + 1].known)
            return; /* a module: a program by its name */
        if (*word != '-' && strncmp(word, "/dev/", 5) != 0 && strncmp(word, "/proc/", 6) != 0)
            return; /* a script */
        if (word[0] != '-' || word[1] == '\0' || strspn(word + 1, harmless) != strlen(word + 1))
            break;
    }
    shell_unknown(shell, RUNS, name);
}

/* ---- programs with some option that runs something ---- */

static const struct {
    const char *name;
    const char *letters;       /* of options, alone or together with others */
    const char *const *others; /* as they begin; long options may be cut short, too */
} WITH_OPTIONS[] = {
    { "tar", "IF",
      (const char *const[]){ "--to-command", "--checkpoint-action", "--use-compress-program", "--info-script",
                             "--new-volume-script", "--rsh-command", "--rmt-command", NULL } },
    { "rsync", "e", (const char *const[]){ "--rsh", "--rsync-path", "--daemon", "--config", NULL } },
    { "scp", "SoFD", NULL },
    { "sort", "", (const char *const[]){ "--compress-program", NULL } },
    { "man", "PHC", (const char *const[]){ "--pager", "--html", "--config-file", NULL } },
    { "zip", "T", (const char *const[]){ "--unzip-command", NULL } },
    { "split", "", (const char *const[]){ "--filter", NULL } },
    { "wget", "e", (const char *const[]){ "--use-askpass", "--execute", "--config", NULL } },
    { "vim", "csSe", (const char *const[]){ "+", "--cmd", NULL } },
    { "vi", "csSe", (const char *const[]){ "+", "--cmd", NULL } },
    { "nvim", "csSel", (const char *const[]){ "+", "--cmd", NULL } },
    { "emacs", "", (const char *const[]){ "-", NULL } },
    { "docker", "", (const char *const[]){ "exec", "run", "compose", "create", "build", "--config", NULL } },
    { "podman", "",
      (const char *const[]){ "exec", "run", "compose", "create", "build", "--config", "--runtime", "--conmon",
                             "--hooks-dir", NULL } },
    { "kubectl", "",
      (const char *const[]){ "exec", "run", "debug", "edit", "plugin", "cp", "--kubeconfig",
                             "set-credentials", "--enable-alpha-plugins", "--enable-helm", "--helm-command",
                             "--edit", NULL } },
    { "systemctl", "HM", (const char *const[]){ "edit", "--host", "--machine", NULL } },
    { "npm", "", (const char *const[]){ "exec", "x", "init", "create", "explore", NULL } },
    { "openssl", "", (const char *const[]){ "-engine", "-provider", "-config", "engine", NULL } },
    { "nc", "ec", NULL },
    { "netcat", "ec", NULL },
    { "ncat", "ec", (const char *const[]){ "--", NULL } },
    { "less", "kp", (const char *const[]){ "+", "--lesskey", "--pattern", NULL } },
    { "ssh-keygen", "Dw", NULL },
    { "ssh-add", "sSe", NULL },
    { "tcpdump", "z", NULL },
    { "strace", "", (const char *const[]){ "", NULL } },
};

/* A program that reads code from its input when nothing else is said, or whose arguments are code or a
 * command in a form of its own. */
static const char *const ALWAYS[] = {
    "at",
    "batch",
    "crontab",
    "script",
    "screen",
    "tmux",
    "gdb",
    "lldb",
    "parallel",
    "sem",
    "flock",
    "systemd-run",
    "pkexec",
    "unshare",
    "nsenter",
    "setpriv",
    "capsh",
    "ltrace",
    "valgrind",
    "perf",
    "entr",
    "run-parts",
    "start-stop-daemon",
    "daemonize",
    "cpulimit",
    "prlimit",
    "numactl",
    "proot",
    "bwrap",
    "firejail",
    "faketime",
    "torsocks",
    "proxychains",
    "proxychains4",
    "dbus-run-session",
    "xvfb-run",
    "unbuffer",
    "npx",
    "pnpx",
    "uvx",
    "pipx",
    "machinectl",
    "lxc",
    "nerdctl",
    "crictl",
    "ctr",
    "socat",
    "ncat",
    "netcat",
    "telnet",
    "rsh",
    "rlogin",
    "rexec",
    "mosh",
    "pssh",
    "ansible",
    "salt",
    "salt-call",
    "puppet",
    "sg",
    "newgrp",
    "login",
    "scriptreplay",
    "rlwrap",
    "ttyrec",
    "asciinema",
    "logsave",
    "eatmydata",
    "linux32",
    "linux64",
    "setarch",
    "i386",
    "x86_64",
    "uname26",
    "sshpass",
    "autossh",
    "dtach",
    "abduco",
    "byobu",
    "runcon",
    "newrole",
    "aa-exec",
    "softlimit",
    "setuidgid",
    "s6-setuidgid",
    "chpst",
    "envdir",
    "envuidgid",
    "multilog",
    "cgexec",
    "systemd-nspawn",
    "xterm",
    "psql",
    "mysql",
    "mariadb",
    "sqlite3",
    "sftp",
    "ftp",
    "lftp",
    "ed",
    "ex",
    "ssh-agent",
    "gpg-agent",
    "dbus-launch",
    "choom",
    "uclampset",
    "systemd-inhibit",
    "systemd-cat",
    "run-one",
    "run-this-one",
    NULL,
};

/* Whether one begins like the other, up to a "=": --to-c for --to-command. */
static bool begins_alike(const char *word, const char *option)
{
    size_t n = strcspn(word, "="), length = strlen(option);
    bool cut_short = strncmp(word, "--", 2) == 0 && n > 2 && n < length;
    return strncmp(word, option, cut_short ? n : length) == 0;
}

static bool is_option_of(const struct shell_word *word, const char *letters, const char *const *others)
{
    if (!word->known)
        return word->splits || word->text[0] == EFFECT_HOLE || word->text[0] == '-';
    if (word->text[0] == '-' && word->text[1] != '-' && strpbrk(word->text, letters))
        return true;
    for (; others && *others; others++)
        if (begins_alike(word->text, *others))
            return true;
    return false;
}

/* To a server rsync says with -e what the client can do (its options.c, server_options()), -e. or at the end
 * of other letters: that runs nothing. */
static bool tells_rsync(const char *name, const struct shell_word *words, size_t n, size_t k)
{
    const char *e = strchr(words[k].text, 'e');
    return strcmp(name, "rsync") == 0 && n > 1 && shell_is(&words[1], "--server") && words[k].known &&
           words[k].text[0] == '-' && words[k].text[1] != '-' && e && e[1] == '.';
}

/* ip takes the beginning of a word for the word: net, netn, netns and v, vr, vrf run others, and -b reads
 * lines. */
static bool is_ip_exec(const struct shell_word *word)
{
    const char *text = word->text;
    size_t n = strlen(text);
    return !word->known || (n >= 3 && strncmp("netns", text, n) == 0) ||
           (n && strncmp("vrf", text, n) == 0) || (n >= 2 && strncmp("-batch", text, n) == 0);
}

/* kubectl config set users.x.exec.command … */
static bool is_kubectl_config(const struct shell_word *words, size_t n)
{
    bool config = false;
    for (size_t k = 1; k < n; k++) {
        if (config && (!words[k].known || shell_is(&words[k], "set")))
            return true;
        config |= shell_is(&words[k], "config");
    }
    return false;
}

/* An archive HOST:FILE is read by ssh, to which the host may be an option. */
static bool is_tar_elsewhere(const struct shell_word *words, size_t n)
{
    for (size_t k = 1; k < n; k++) {
        const char *colon = words[k].known ? strchr(words[k].text, ':') : NULL;
        const char *slash = strchr(words[k].text, '/');
        if (colon && (!slash || slash > colon))
            return true;
    }
    return false;
}

static bool runs_in_its_way(const char *name, const struct shell_word *words, size_t n)
{
    if (strcmp(name, "tar") == 0)
        return is_tar_elsewhere(words, n);
    if (strcmp(name, "kubectl") == 0)
        return is_kubectl_config(words, n);
    for (size_t k = 1; strcmp(name, "ip") == 0 && k < n; k++)
        if (is_ip_exec(&words[k]))
            return true;
    return false;
}

static bool run_with_options(struct shell *shell, const char *name, const struct shell_word *words, size_t n)
{
    for (size_t i = 0; i < sizeof WITH_OPTIONS / sizeof WITH_OPTIONS[0]; i++) {
        if (strcmp(WITH_OPTIONS[i].name, name) != 0)
            continue;
        /* tar cIf: its first word needs no dash */
        bool runs = strcmp(name, "tar") == 0 && n > 1 && strpbrk(words[1].text, WITH_OPTIONS[i].letters);
        for (size_t k = 1; k < n && !runs; k++)
            runs = is_option_of(&words[k], WITH_OPTIONS[i].letters, WITH_OPTIONS[i].others) &&
                   !tells_rsync(name, words, n, k);
        if (runs)
            shell_unknown(shell, RUNS, name);
        return true;
    }
    return false;
}

bool shell_program(struct shell *shell, const char *name, const struct shell_word *words, size_t n)
{
    if (shell_is_listed(SHELLS, name) || shell_is_listed(FOREIGN_SHELLS, name)) {
        run_shell(shell, name, words, n);
        return true;
    }
    for (size_t i = 0; i < sizeof LANGUAGES / sizeof LANGUAGES[0]; i++)
        if (is_language(name, LANGUAGES[i].name)) {
            run_language(shell, name, LANGUAGES[i].harmless, words, n);
            return true;
        }
    if (shell_is_listed(ALWAYS, name) || strncmp(name, "ld-linux", 8) == 0 ||
        strncmp(name, "ld.so", 5) == 0) {
        shell_unknown(shell, RUNS, name);
        return true;
    }
    if (runs_in_its_way(name, words, n)) {
        shell_unknown(shell, RUNS, name);
        return true;
    }
    return run_with_options(shell, name, words, n);
}
