/* What runs at the target. POSIX sh, for bash, dash and what else is called sh there.
 *
 * The shell reads its own commands from a pipe, in which somebody writes the same line again and again:
 *     _gh;eval "$_gh"
 * The function _gh tells that what ran before is over (a mark with its status and the directory), and waits
 * for the next command, which it puts into the variable _gh. So nothing that a user types is ever read as a
 * command by the shell itself, whatever a command leaves unread in the terminal, and a shell that is
 * interactive (job control, ^C ends a whole loop) goes back to that line after an interrupt. eval stands
 * outside of the function, where declare, break and return mean what they do at a prompt.
 *
 * What the bastion sends begins with the byte 0xff, which it never passes on from a keyboard. Everything else
 * that is found before it was typed ahead, and goes back in a mark. Between two commands the terminal is in
 * a mode in which no key means anything; as a command left it, it is again for the next.
 *
 * The lines in the pipe are GUARDED_LINE bytes each, and the first is so many times that: dash drops what it
 * has read of it after an interrupt, up to 8 KiB, which is always so many whole lines. */
#include "channels/ssh/guarded_script.h"

/* No single quotes: it is between two. No backslash before a backslash, or a quote: fish reads those.
 *
 * What runs the commands has to be bash, dash or another ash. In a ksh a number may be a command
 * (`[ "$x" -eq 1 ]` with `a[$(reboot)]` in it), and both ksh and zsh read more than what lines are judged by.
 */
#define FIND_SHELL(bash, other)                                                                              \
    "for s in bash dash sh;do command -v $s >/dev/null 2>&1&&break;done;"                                    \
    "case $s in bash)o=\"--norc --noprofile " bash "\";;*)o=\"" other "\";;esac;unset ENV;"                  \
    "case $s in sh)v=${KSH_VERSION-}${ZSH_VERSION-};[ 1+1 -eq 2 ] 2>/dev/null&&v=ksh;case $v in ?*)"         \
    "echo \"" NO_SHELL "\" >&2;echo \"" NO_SHELL_NEXT "\" >&2;exit 69;;esac;;esac;"
#define NO_SHELL                                                                                             \
    "gatehouse: unavailable: the target has neither bash nor dash, and its sh is a ksh or zsh, which can "   \
    "not be guarded (code target_unavailable)"
#define NO_SHELL_NEXT                                                                                        \
    "gatehouse: next: have bash or dash installed at the target, or ask the operators of the bastion for a " \
    "rule that is not guarded"
#define SAY_HELLO "printf \"\\001gatehouse;%s\\002\" \"$HOME\";IFS= read -r a;"
#define QUIET     "stty raw opost -echo -iexten"

static const char terminal_command[] =
    "exec sh -c '" FIND_SHELL("--noediting -i", "-i") "n=$(stty -g);t=$(tty)||t=/dev/tty;" QUIET ";" SAY_HELLO
                                                      "stty \"$n\";{ printf \"%s\\n\" \"$a\";"
                                                      "while printf \"%-63s\\n\" "
                                                      "\"_gh;eval \\\"\\$_gh\\\" <$t\";do :;done;}"
                                                      " 2>/dev/null|PS1= PS2= HISTFILE= $s $o'";

/* Without a terminal: 4 is the bastion's side, 5 and 6 are output and errors, whatever a command does to its
 * own. dash ends at a syntax error unless it is interactive. */
static const char plain_command[] = "exec sh -c '" FIND_SHELL("-s", "-i -s") SAY_HELLO
    "exec 4<&0 5>&1 6>&2;{ printf \"%s\\n\" \"$a\";"
    "while printf \"%s\\n\" \"_gh;eval \\\"\\$_gh\\\" </dev/null 4<&- 5>&- 6>&-\";do :;done;}"
    " 4<&- 5>&- 6>&- 2>/dev/null|PS1= PS2= HISTFILE= $s $o'";

/* Marks are written by one call each, so that nothing of a job in the background gets into them. */
#define SAY_END           "printf '\\001@;E;%s;%s;%s;@\\002' \"$_ghq\" \"$_ghr\" \"$PWD\";"
#define SAY_END_OF_ERRORS "printf '\\001@;E;%s;;;@\\002' \"$_ghq\" >&6;"
#define SAY_BEGUN         "printf '\\001@;B;%s;@\\002' \"$_ghq\";"
#define SAY_TYPED         "printf '\\001@;T;%s;@\\002' \"$_ghl\""
#define SAY_READ          "printf '\\001@;Y;@\\002'"

#define PREPARE                                                                                              \
    "unset PS1 PS2 HISTFILE;PS1= PS2= PS4='+ ';case ${BASH_VERSION-} in ?*)set +o history;;esac;"            \
    "_ghw=0;_ghq=0;_ghX=$(printf '\\377');"
#define SAVE_MODE                                                                                            \
    "case $_ghw in 1);;*)_ghl=$(stty -g);case $_ghl in *:*)_ghs=$_ghl;;esac;_ghw=1;;esac;" QUIET ";"
/* When the bastion's side is gone, or can't be opened any more, the function would be called again and again,
 * and `exit` may be refused because of stopped jobs. */
#define DIE "kill -KILL $$"

#define DIGITS_OF(number) #number
#define AS_TEXT(number)   DIGITS_OF(number)
#define LENGTH_DIGITS     AS_TEXT(GUARDED_LENGTH_DIGITS)

/* A job in the background may set the terminal's mode whenever it likes, and so have characters of what the
 * bastion sends left out, or changed (VERASE, VKILL, IUCLC, …). Therefore a command is octal escapes, and its
 * length is said in letters that are nowhere else in what is sent: what a mode takes away of the one, it
 * can't take away of the other so that they fit. Behind "R;": length;number;status */
#define TAKE_COMMAND                                                                                         \
    "_ghl=${_ghl#*\\;};_ghn=${_ghl%%\\;*};_ghl=${_ghl#*\\;};_ghq=${_ghl%%\\;*};_ghr=${_ghl#*\\;};"           \
    "IFS= read -r _gh;_ghb=${#_gh};_ghl=;while [ ${#_ghl} -lt " LENGTH_DIGITS " ];"                          \
    "do case $((_ghb%2)) in 1)_ghl=z$_ghl;;*)_ghl=y$_ghl;;esac;_ghb=$((_ghb/2));done;"                       \
    "case $_ghn in $_ghl)_gh=$(printf \"$_gh.\");_gh=${_gh%.};;"                                             \
    "*)printf 'gatehouse: the mode of the terminal was changed under a command; this shell ends\\r\\n';" DIE \
    ";;esac;"

#define BEGIN_TURN "_gh(){ _ghr=$?;_gh=;_ghk=0;{ "
#define END_TURN   "case $_ghk in 1);;*)" DIE ";;esac;return \"$_ghr\";}"

/* A hang-up is told to the first process of the session and to what runs in the foreground, and this shell is
 * neither: a loop would go on. So somebody looks whether the terminal is still there. */
#define WATCH                                                                                                \
    "(while kill -0 $$;do true </dev/tty||{ kill -HUP $$;sleep 1;kill -KILL $$;exit;};sleep 2;done"          \
    " </dev/null >/dev/null 2>&1 &);"

/* A ^D that was typed ahead may be read as an end; an end that stays is one. */
static const char terminal_setup[] =
    PREPARE WATCH BEGIN_TURN SAVE_MODE SAY_END "_ghe=0;while :;do IFS= read -r _ghl||{ _ghe=$((_ghe+1));"
                                               "[ \"$_ghe\" -lt 99 ]||" DIE ";};"
                                               "case $_ghl in \"$_ghX\"R\\;*)break;;"
                                               "\"$_ghX\"S\\;*)" SAY_READ ";;*)" SAY_TYPED ";;esac;done;" //
    TAKE_COMMAND "stty \"$_ghs\"||stty sane;_ghw=0;" SAY_BEGUN
                                               "_ghk=1;}</dev/tty >/dev/tty 2>/dev/null;" END_TURN;

static const char plain_setup[] = PREPARE BEGIN_TURN SAY_END_OF_ERRORS SAY_END
    "while :;do IFS= read -r _ghl||{ " DIE ";};case $_ghl in \"$_ghX\"R\\;*)break;;esac;done;" //
    TAKE_COMMAND SAY_BEGUN "_ghk=1;}<&4 >&5 2>/dev/null;" END_TURN;

const char *guarded_script_command(bool terminal)
{
    return terminal ? terminal_command : plain_command;
}

const char *guarded_script_setup(bool terminal)
{
    return terminal ? terminal_setup : plain_setup;
}
