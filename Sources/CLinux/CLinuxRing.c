#include "CLinuxRing.h"

int clinux_ring_open(struct clinux_ring *ring, unsigned capacity) {
    struct io_uring_params parameters;
    memset(&parameters, 0, sizeof parameters);
    parameters.flags = CLINUX_RING_SUBMIT_ALL | CLINUX_RING_SINGLE_ISSUER | CLINUX_RING_DEFER_TASKRUN;
    int descriptor = (int)syscall(SYS_io_uring_setup, capacity, &parameters);
    if (descriptor < 0) return -errno;
    // One mapping serves both rings since Linux 5.4.
    unsigned long submissions = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    unsigned long completions = parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe);
    unsigned long size = submissions > completions ? submissions : completions;
    char *rings = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, IORING_OFF_SQ_RING);
    void *entries = mmap(
        0, parameters.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
        descriptor, IORING_OFF_SQES);
    if (rings == MAP_FAILED || entries == MAP_FAILED) {
        int failure = -errno;
        close(descriptor);
        return failure;
    }
    ring->descriptor = descriptor;
    ring->pending = 0;
    ring->mask = *(unsigned *)(rings + parameters.sq_off.ring_mask);
    ring->completion_mask = *(unsigned *)(rings + parameters.cq_off.ring_mask);
    ring->tail = (unsigned *)(rings + parameters.sq_off.tail);
    ring->completion_head = (unsigned *)(rings + parameters.cq_off.head);
    ring->completion_tail = (unsigned *)(rings + parameters.cq_off.tail);
    ring->entries = entries;
    ring->completions = (struct io_uring_cqe *)(rings + parameters.cq_off.cqes);
    unsigned *array = (unsigned *)(rings + parameters.sq_off.array);
    for (unsigned index = 0; index < parameters.sq_entries; index++) array[index] = index;
    return 0;
}

void clinux_ring_close(struct clinux_ring *ring) { close(ring->descriptor); }
