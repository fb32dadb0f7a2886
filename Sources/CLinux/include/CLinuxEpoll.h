#pragma once
// What the proxy's event loop needs and Swift can't see: varargs, macros, flags of enumeration type.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

// Declared here because the headers show it only with _GNU_SOURCE, which modules of Swift do not define in time.
extern int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);

static inline int clinux_accept_nonblocking(int listener) {
    return accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static inline int clinux_socket_nonblocking(int family) {
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

// By number: the kernel has it since 5.11, some C libraries do not show it.
static inline int clinux_epoll_wait_nanoseconds(int poll, struct epoll_event *events, int capacity, long nanoseconds) {
    struct timespec limit = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    return (int)syscall(SYS_epoll_pwait2, poll, events, capacity, &limit, (void *)0, (unsigned long)0);
}

static inline int clinux_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

static inline void clinux_set_option(int descriptor, int level, int name, int value) {
    (void)setsockopt(descriptor, level, name, &value, sizeof value);
}

static inline int clinux_socket_error(int descriptor) {
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

// The calls of every request go to the kernel by number: in a process of several threads the C library's versions are
// points of cancellation and pay for it twice a call, which made 3 % of a small request's time.
static inline long clinux_send(int descriptor, const void *bytes, unsigned long count) {
    return syscall(SYS_sendto, descriptor, bytes, count, MSG_NOSIGNAL, (void *)0, 0);
}

static inline long clinux_receive(int descriptor, void *bytes, unsigned long count) {
    return syscall(SYS_recvfrom, descriptor, bytes, count, 0, (void *)0, (void *)0);
}

static inline int clinux_epoll_wait(int poll, struct epoll_event *events, int capacity, int milliseconds) {
    return (int)syscall(SYS_epoll_pwait, poll, events, capacity, milliseconds, (void *)0, (unsigned long)0);
}

// Two pieces in one call: what waited and what just came.
static inline long clinux_send_pair(
    int descriptor, const void *first, unsigned long first_count, const void *second, unsigned long second_count) {
    struct iovec pieces[2] = {{(void *)first, first_count}, {(void *)second, second_count}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    return sendmsg(descriptor, &message, MSG_NOSIGNAL);
}

// Blocks the signals in every thread of the caller's making and gives a descriptor that becomes readable instead.
static inline int clinux_signal_descriptor(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, 0);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}
