#pragma once
// io_uring as a way to make many calls at once. All of them are over when the call that submits them returns: sockets are
// asked not to wait, so the kernel keeps nothing that it was given.
#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#define SYS_io_uring_enter 426
#endif

// Since Linux 5.18, 5.19 and 6.1; asked for by number, since the headers may be older than the kernel.
#define CLINUX_RING_SUBMIT_ALL (1U << 7)
#define CLINUX_RING_SINGLE_ISSUER (1U << 12)
#define CLINUX_RING_DEFER_TASKRUN (1U << 13)

struct clinux_ring {
    int descriptor;
    unsigned pending;
    unsigned mask;
    unsigned completion_mask;
    unsigned *tail;
    unsigned *completion_head;
    unsigned *completion_tail;
    struct io_uring_sqe *entries;
    struct io_uring_cqe *completions;
};

// 0, or -errno: the kernel is older than 6.1, or a container or an administrator forbids it.
int clinux_ring_open(struct clinux_ring *ring, unsigned capacity);
void clinux_ring_close(struct clinux_ring *ring);

// A call to a socket that gives up rather than wait. No more of them than the capacity between two submissions, and
// the bytes must not move before the submission.
static inline void clinux_ring_add(
    struct clinux_ring *ring, int operation, int descriptor, const void *bytes, unsigned count) {
    struct io_uring_sqe *entry = &ring->entries[(*ring->tail + ring->pending) & ring->mask];
    memset(entry, 0, sizeof *entry);
    entry->opcode = (uint8_t)operation;
    entry->fd = descriptor;
    entry->addr = (uintptr_t)bytes;
    entry->len = count;
    entry->msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    entry->user_data = ring->pending++;
}

static inline void clinux_ring_add_send(struct clinux_ring *ring, int descriptor, const void *bytes, unsigned count) {
    clinux_ring_add(ring, IORING_OP_SEND, descriptor, bytes, count);
}

static inline void clinux_ring_add_receive(struct clinux_ring *ring, int descriptor, void *bytes, unsigned count) {
    clinux_ring_add(ring, IORING_OP_RECV, descriptor, bytes, count);
}

// Makes all calls; results[i] is what the i-th gave: bytes, or -errno. Returns 0, or -errno when the kernel does not
// take the calls: how far they went is not known then.
static inline int clinux_ring_submit(struct clinux_ring *ring, int32_t *results) {
    unsigned count = ring->pending, submitted = 0, done = 0;
    ring->pending = 0;
    __atomic_store_n(ring->tail, *ring->tail + count, __ATOMIC_RELEASE);
    while (done < count) {
        long outcome = syscall(
            SYS_io_uring_enter, ring->descriptor, count - submitted, count - done, IORING_ENTER_GETEVENTS, (void *)0,
            (unsigned long)0);
        if (outcome > 0) submitted += (unsigned)outcome;
        // Short of memory for a moment, or stopped and continued.
        if (outcome < 0 && errno != EINTR && errno != EAGAIN && errno != EBUSY) return -errno;
        unsigned head = *ring->completion_head;
        unsigned tail = __atomic_load_n(ring->completion_tail, __ATOMIC_ACQUIRE);
        for (; head != tail; head++, done++) {
            struct io_uring_cqe *completion = &ring->completions[head & ring->completion_mask];
            results[completion->user_data] = completion->res;
        }
        __atomic_store_n(ring->completion_head, head, __ATOMIC_RELEASE);
    }
    return 0;
}
