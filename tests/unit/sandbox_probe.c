/* Runs inside the cage and tries to get out. Prints one line per attempt: NAME=ERROR, or NAME=done.
 *
 *   escapes    every attempt of the list below
 *   size       the terminal's size, now and whenever it changes
 *   stubborn   ignores what asks it to end
 *   recording  what can be read from fd 3
 *   listen     accepts a connection and says back what comes; ends with the number of the step that failed
 *   exit N     ends with that status */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static void report(const char *name, long result)
{
    (void)printf("%s=%s\n", name, result < 0 ? strerrorname_np(errno) : "done");
}

#define TRY(name, call) report(name, (long)(call))

static long spawn(void)
{
    pid_t pid;
    char *const words[] = { "/bin/true", NULL };
    errno = posix_spawn(&pid, "/bin/true", NULL, NULL, words, NULL);
    return errno ? -1 : 0;
}

static void try_processes(pid_t launcher)
{
    char *const words[] = { "/bin/sh", "-c", "id", NULL };
    char byte;
    struct iovec here = { &byte, 1 }, there = { (void *)0x1000, 1 };
    TRY("fork", fork());
    TRY("vfork", syscall(SYS_vfork));
    TRY("clone", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    TRY("thread", syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, 0));
    TRY("clone3", syscall(SYS_clone3, NULL, 0));
    TRY("posix_spawn", spawn());
    TRY("system", system("id") == 0 ? 0 : -1);
    TRY("popen", popen("id", "r") ? 0 : -1);
    TRY("execve", execve("/bin/sh", words, NULL));
    TRY("execve_self", execve("/proc/self/exe", words, NULL));
    TRY("execveat", syscall(SYS_execveat, AT_FDCWD, "/bin/sh", words, NULL, 0));
    TRY("ptrace", ptrace(PTRACE_ATTACH, launcher, NULL, NULL));
    TRY("process_vm_readv", process_vm_readv(launcher, &here, 1, &there, 1, 0));
    TRY("process_vm_writev", process_vm_writev(launcher, &here, 1, &there, 1, 0));
    TRY("pidfd_open", syscall(SYS_pidfd_open, launcher, 0));
    TRY("kill_launcher", kill(launcher, 0));
    TRY("kill_everybody", kill(-1, 0));
    TRY("kill_group", kill(0, 0));
    TRY("tgkill_launcher", syscall(SYS_tgkill, launcher, launcher, 0));
    TRY("tkill", syscall(SYS_tkill, getpid(), 0));
    TRY("rt_sigqueueinfo", syscall(SYS_rt_sigqueueinfo, launcher, 0, NULL));
    TRY("setpriority", setpriority(PRIO_PROCESS, (id_t)launcher, 19));
    TRY("prlimit_launcher", syscall(SYS_prlimit64, launcher, RLIMIT_CORE, NULL, &(struct rlimit){ 0, 0 }));
    TRY("setrlimit", setrlimit(RLIMIT_CPU, &(struct rlimit){ 1, 1 }));
    TRY("setsid", setsid());
    TRY("prctl", prctl(PR_SET_DUMPABLE, 1));
}

static void try_files(void)
{
    char bytes[256];
    struct stat st;
    TRY("read_passwd", open("/etc/passwd", O_RDONLY));
    TRY("read_environ", open("/proc/self/environ", O_RDONLY));
    TRY("read_memory", open("/proc/self/mem", O_RDWR));
    TRY("read_version", open("/proc/version", O_RDONLY));
    TRY("list_root", open("/", O_RDONLY | O_DIRECTORY));
    TRY("list_proc", open("/proc", O_RDONLY | O_DIRECTORY));
    TRY("list_libraries", open("/usr/lib", O_RDONLY | O_DIRECTORY));
    TRY("create", open("/tmp/gatehouse-probe", O_WRONLY | O_CREAT, 0600));
    TRY("create_shm", open("/dev/shm/gatehouse-probe", O_RDWR | O_CREAT, 0600));
    TRY("tmpfile", open("/tmp", O_TMPFILE | O_RDWR, 0600));
    TRY("write_program", open("/proc/self/exe", O_WRONLY));
    TRY("memfd", memfd_create("x", 0));
    TRY("unlink", unlink("/tmp/nothing"));
    TRY("rename", rename("/tmp/nothing", "/tmp/nothing2"));
    TRY("mkdir", mkdir("/tmp/gatehouse-probe", 0700));
    TRY("symlink", symlink("/etc/passwd", "/tmp/gatehouse-probe"));
    TRY("link", link("/etc/hostname", "/tmp/gatehouse-probe"));
    TRY("chmod", chmod("/tmp", 0777));
    TRY("truncate", truncate("/tmp/nothing", 0));
    TRY("mknod", mknod("/tmp/gatehouse-probe", S_IFIFO | 0600, 0));
    TRY("chroot", chroot("/"));
    TRY("mount", mount("none", "/mnt", "tmpfs", 0, NULL));
    TRY("other_terminal", open("/dev/pts/ptmx", O_RDWR));
    TRY("new_terminal", open("/dev/ptmx", O_RDWR));
    TRY("open_by_handle", syscall(SYS_open_by_handle_at, AT_FDCWD, bytes, O_RDONLY));
    TRY("inotify", syscall(SYS_inotify_init1, 0));
    TRY("name_to_handle", syscall(SYS_name_to_handle_at, AT_FDCWD, "/", bytes, &st, 0));
}

static long dial(int family, const void *address, socklen_t n)
{
    int fd = socket(family, SOCK_STREAM, 0);
    return fd < 0 ? -1 : connect(fd, address, n);
}

static void try_sockets(void)
{
    struct sockaddr_in inet = { .sin_family = AF_INET, .sin_port = htons(22) };
    struct sockaddr_un abstract = { .sun_family = AF_UNIX, .sun_path = "\0gatehouse" };
    int pair[2];
    inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    TRY("tcp", dial(AF_INET, &inet, sizeof inet));
    TRY("tcp6", socket(AF_INET6, SOCK_STREAM, 0));
    TRY("udp", socket(AF_INET, SOCK_DGRAM, 0));
    TRY("raw", socket(AF_INET, SOCK_RAW, 1));
    TRY("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
    TRY("packet", socket(AF_PACKET, SOCK_RAW, 0));
    TRY("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    TRY("alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
    TRY("unix_datagram", socket(AF_UNIX, SOCK_DGRAM, 0));
    TRY("unix_seqpacket", socket(AF_UNIX, SOCK_SEQPACKET, 0));
    TRY("unix_abstract", dial(AF_UNIX, &abstract, sizeof abstract));
    TRY("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    TRY("bind", bind(0, (struct sockaddr *)&abstract, sizeof abstract));
}

static void try_kernel(void)
{
    struct io_uring_params ring = { 0 };
    TRY("io_uring", syscall(SYS_io_uring_setup, 4, &ring));
    TRY("bpf", syscall(SYS_bpf, 0, NULL, 0));
    TRY("perf", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
    TRY("userfaultfd", syscall(SYS_userfaultfd, 0));
    TRY("keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
    TRY("unshare", unshare(CLONE_NEWUSER));
    TRY("setns", setns(0, 0));
    TRY("setuid", syscall(SYS_setuid, 0));
    TRY("setgroups", syscall(SYS_setgroups, 0, NULL));
    TRY("shmget", shmget(IPC_PRIVATE, 4096, 0600));
    TRY("semget", semget(IPC_PRIVATE, 1, 0600));
    TRY("seccomp", syscall(SYS_seccomp, 1, 0, NULL));
    TRY("personality", syscall(SYS_personality, 0xffffffff));
    TRY("reboot", syscall(SYS_reboot, 0, 0, 0, NULL));
    TRY("type_for_user", ioctl(0, TIOCSTI, "x"));
    TRY("own_socket_signals", fcntl(0, F_SETOWN, getppid()));
    TRY("fd_of_other", syscall(SYS_pidfd_getfd, 0, 0, 0));
    TRY("unknown_call", syscall(1000));
    TRY("signal_self", kill(getpid(), 0)); /* this one must work */
}

static void print_size(int number)
{
    (void)number;
    struct winsize size = { 0 };
    char line[64];
    (void)ioctl(0, TIOCGWINSZ, &size);
    int n = snprintf(line, sizeof line, "size %dx%d\n", size.ws_col, size.ws_row);
    (void)!write(1, line, (size_t)n);
}

static void wait_for_ever(void)
{
    for (;;)
        (void)pause();
}

static int print_recording(void)
{
    char bytes[256];
    ssize_t n = read(3, bytes, sizeof bytes - 1);
    (void)printf("fd 3: %zd bytes\nfd 4: %s\n", n, fcntl(4, F_GETFD) < 0 ? "closed" : "open");
    return 0;
}

static int listen_once(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(8080) }, peer = { 0 };
    socklen_t size = sizeof address, peer_size = sizeof peer;
    char byte = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1) < 0)
        return 1;
    memset(&address, 0, sizeof address);
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 || size != sizeof address ||
        address.sin_family != AF_INET || address.sin_addr.s_addr != htonl(INADDR_LOOPBACK) ||
        address.sin_port != 0)
        return 2;
    int first = accept4(fd, (struct sockaddr *)&peer, &peer_size, SOCK_CLOEXEC);
    if (first < 0 || peer_size != sizeof peer || peer.sin_family != AF_INET)
        return 3;
    if (accept4(fd, NULL, NULL, 0) >= 0 || errno != EAGAIN)
        return 4;
    if (getsockname(fd, (struct sockaddr *)0x10, &size) >= 0 || errno != EFAULT)
        return 5;
    while (read(first, &byte, 1) == 1)
        if (write(first, &byte, 1) != 1)
            return 6;
    return fcntl(first, F_GETFD) == FD_CLOEXEC ? 0 : 7;
}

int main(int n, char **words)
{
    const char *what = n > 1 ? words[1] : "escapes";
    if (strcmp(what, "exit") == 0)
        return n > 2 ? atoi(words[2]) : 0;
    if (strcmp(what, "listen") == 0)
        return listen_once();
    if (strcmp(what, "recording") == 0)
        return print_recording();
    if (strcmp(what, "size") == 0) {
        (void)signal(SIGWINCH, print_size);
        print_size(0);
        wait_for_ever();
    }
    if (strcmp(what, "stubborn") == 0) {
        (void)signal(SIGHUP, SIG_IGN);
        (void)signal(SIGTERM, SIG_IGN);
        (void)!write(1, "here\n", 5);
        wait_for_ever();
    }
    pid_t launcher = getppid();
    try_processes(launcher);
    try_files();
    try_sockets();
    try_kernel();
    (void)puts("end of attempts");
    return 0;
}
