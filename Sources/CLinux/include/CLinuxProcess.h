#pragma once
// Starting and collecting processes. The child's half of a spawn runs between fork and exec, where only
// async-signal-safe calls are allowed, so it is C and touches nothing of Swift's runtime. No _GNU_SOURCE here: this
// module would then see other definitions of the system's types than Glibc's module does.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

// Where a spawn failed; the watchdog turns it into words.
enum clinux_spawn_stage {
    CLINUX_STAGE_FORK = 1,
    CLINUX_STAGE_OUTPUT = 2,
    CLINUX_STAGE_LIMITS = 3,
    CLINUX_STAGE_DIRECTORY = 4,
    CLINUX_STAGE_EXECUTE = 5,
};

struct clinux_spawn {
    const char *executable;
    char *const *arguments;
    char *const *environment;
    const char *directory;
    int output;              // becomes stdout and stderr
    uint64_t address_space;  // bytes, 0: no limit
    uint64_t open_files;     // 0: inherited
    int oom_score_adj;
    // Filled by clinux_spawn_fork.
    pid_t pid;
    int gate;    // a byte lets the child go on to exec; closing it makes the child vanish
    int report;  // end of file: exec has happened
};

struct clinux_spawn_failure {
    int stage;
    int error;
};

static inline void clinux_spawn_fail(int report, int stage) {
    struct clinux_spawn_failure failure = {stage, errno};
    (void)!write(report, &failure, sizeof failure);
    _exit(127);
}

static inline int clinux_spawn_limit(int resource, uint64_t wanted) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) return -1;
    if (limit.rlim_max != RLIM_INFINITY && wanted > limit.rlim_max) wanted = limit.rlim_max;
    limit.rlim_cur = limit.rlim_max = wanted;
    return setrlimit(resource, &limit);
}

static inline void clinux_spawn_score(int score) {
    char text[16];
    int position = sizeof text, negative = score < 0;
    unsigned rest = negative ? -score : score;
    do { text[--position] = '0' + rest % 10; rest /= 10; } while (rest);
    if (negative) text[--position] = '-';
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    // Best effort: lowering it is a privilege, and a node under a prefix runs without.
    if (file >= 0) { (void)!write(file, text + position, sizeof text - position); close(file); }
}

static inline void clinux_close_from(int first) {
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 0) != 0)
        for (int descriptor = first; descriptor < 65536; descriptor++) close(descriptor);
}

static inline void clinux_spawn_child(const struct clinux_spawn *spawn, int gate, int report) {
    setsid();
    // Everything moves above the numbers it is about to occupy, then the rest is closed at once.
    int null = open("/dev/null", O_RDWR);
    int high_null = fcntl(null, F_DUPFD, 16), high_output = fcntl(spawn->output, F_DUPFD, 16);
    int high_gate = fcntl(gate, F_DUPFD, 16), high_report = fcntl(report, F_DUPFD, 16);
    if (high_null < 0 || high_output < 0 || high_gate < 0 || high_report < 0)
        clinux_spawn_fail(report, CLINUX_STAGE_OUTPUT);
    if (dup2(high_null, 0) < 0 || dup2(high_output, 1) < 0 || dup2(high_output, 2) < 0
        || syscall(SYS_dup3, high_report, 3, O_CLOEXEC) < 0 || syscall(SYS_dup3, high_gate, 4, O_CLOEXEC) < 0)
        clinux_spawn_fail(high_report, CLINUX_STAGE_OUTPUT);
    report = 3, gate = 4;
    clinux_close_from(5);

    clinux_spawn_score(spawn->oom_score_adj);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (spawn->open_files && clinux_spawn_limit(RLIMIT_NOFILE, spawn->open_files) != 0)
        clinux_spawn_fail(report, CLINUX_STAGE_LIMITS);
    if (chdir(spawn->directory) != 0) clinux_spawn_fail(report, CLINUX_STAGE_DIRECTORY);
    for (int number = 1; number < 65; number++) signal(number, SIG_DFL);

    char go;
    ssize_t count;
    do { count = read(gate, &go, 1); } while (count < 0 && errno == EINTR);
    if (count != 1) _exit(0);  // The parent died before it wrote this pid down: leave no stray process.

    if (spawn->address_space && clinux_spawn_limit(RLIMIT_AS, spawn->address_space) != 0)
        clinux_spawn_fail(report, CLINUX_STAGE_LIMITS);
    // Last, so that a signal that came in between ends the program, not this half-made child.
    sigset_t empty;
    sigemptyset(&empty);
    sigprocmask(SIG_SETMASK, &empty, 0);
    execve(spawn->executable, spawn->arguments, spawn->environment);
    clinux_spawn_fail(report, CLINUX_STAGE_EXECUTE);
}

// Forks the child up to its gate. Returns 0 or an errno.
static inline int clinux_spawn_fork(struct clinux_spawn *spawn) {
    int gate[2], report[2];
    if (syscall(SYS_pipe2, gate, O_CLOEXEC) != 0) return errno;
    if (syscall(SYS_pipe2, report, O_CLOEXEC) != 0) {
        int error = errno;
        close(gate[0]), close(gate[1]);
        return error;
    }
    pid_t pid = fork();
    int error = errno;
    if (pid == 0) {
        close(gate[1]), close(report[0]);
        clinux_spawn_child(spawn, gate[0], report[1]);
    }
    close(gate[0]), close(report[1]);
    if (pid < 0) {
        close(gate[1]), close(report[0]);
        return error;
    }
    spawn->pid = pid, spawn->gate = gate[1], spawn->report = report[0];
    return 0;
}

// Lets the child go on and waits until it is the program (stage 0) or has failed. Closes both pipes.
static inline struct clinux_spawn_failure clinux_spawn_release(struct clinux_spawn *spawn) {
    struct clinux_spawn_failure failure = {0, 0};
    char go = 1;
    (void)!write(spawn->gate, &go, 1);
    ssize_t count;
    do { count = read(spawn->report, &failure, sizeof failure); } while (count < 0 && errno == EINTR);
    if (count != sizeof failure) failure.stage = 0;
    close(spawn->gate), close(spawn->report);
    return failure;
}

static inline int clinux_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0u); }

static inline int clinux_pidfd_signal(int descriptor, int number) {
    return (int)syscall(SYS_pidfd_send_signal, descriptor, number, (void *)0, 0u);
}

struct clinux_exit {
    pid_t pid;       // 0: nobody has ended
    int is_signal;   // else status is the exit code
    int status;
};

static inline int clinux_waitid(int kind, int identifier, int flags, struct clinux_exit *result) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int outcome;
    do { outcome = waitid((idtype_t)kind, (id_t)identifier, &info, flags); } while (outcome < 0 && errno == EINTR);
    if (outcome < 0) return errno;
    result->pid = info.si_pid;
    result->is_signal = info.si_code != CLD_EXITED;
    result->status = info.si_status;
    return 0;
}

// Any child that has ended, left as a zombie: the caller decides who collects it.
static inline int clinux_peek_ended(struct clinux_exit *result) {
    return clinux_waitid(P_ALL, 0, WEXITED | WNOHANG | WNOWAIT, result);
}

// Collects one child; blocks where `wait`. ECHILD: not a child of this process.
static inline int clinux_collect(pid_t pid, int wait, struct clinux_exit *result) {
    return clinux_waitid(P_PID, pid, wait ? WEXITED : WEXITED | WNOHANG, result);
}

static inline int clinux_collect_descriptor(int pidfd, struct clinux_exit *result) {
    return clinux_waitid(3 /* P_PIDFD */, pidfd, WEXITED | WNOHANG, result);
}

static inline int clinux_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

// Blocks the four signals of the watchdog and delivers them on the descriptor instead.
static inline int clinux_watchdog_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD), sigaddset(&set, SIGTERM), sigaddset(&set, SIGINT), sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_SETMASK, &set, 0) != 0) return -1;
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

// The number of the next pending signal, 0 when there is none.
static inline int clinux_next_signal(int descriptor) {
    struct signalfd_siginfo info;
    return read(descriptor, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

static inline int clinux_timer_open(void) { return timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC); }

// Rings at `milliseconds` of the boot-time clock (0: never).
static inline int clinux_timer_set(int descriptor, int64_t milliseconds) {
    struct itimerspec at;
    memset(&at, 0, sizeof at);
    at.it_value.tv_sec = milliseconds / 1000;
    at.it_value.tv_nsec = milliseconds % 1000 * 1000000;
    return timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &at, 0);
}

static inline int clinux_watch(int poll, int operation, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = events;
    event.data.u64 = token;
    return epoll_ctl(poll, operation, descriptor, &event);
}

// Glibc's fork is unavailable to Swift: here no second thread exists that it could lose.
static inline pid_t clinux_fork(void) { return fork(); }

// Raises the limit of open files to what is allowed: one descriptor per process is held.
static inline void clinux_raise_open_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}
