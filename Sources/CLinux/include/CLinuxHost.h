#pragma once
// What preflight asks of the machine and the Glibc module does not show.
#include <gnu/libc-version.h>
#include <sys/timex.h>

static inline const char *clinux_libc_version(void) { return gnu_get_libc_version(); }

// 1: steered by a time service; 0: running free; -1: the kernel does not tell.
static inline int clinux_clock_is_synchronised(void) {
    struct timex request = {0};
    int state = adjtimex(&request);
    return state < 0 ? -1 : state != TIME_ERROR;
}

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Swaps two paths in one step (RENAME_EXCHANGE of <linux/fs.h>); 0, or -1 with errno.
static inline int clinux_exchange(const char *one, const char *other) {
    return (int)syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, 2u);
}
