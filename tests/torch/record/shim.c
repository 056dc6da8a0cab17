/* Loaded before the C library: faults of a disk for the files below the folder FAULTY.

   shim_set(mode, room, milliseconds) chooses the fault; 0 is none. shim_calls(1) is how often the
   main thread has opened, written or synced a file there since then, shim_calls(0) how often
   another thread has, shim_inside() how many are in such a call now. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NONE, SLOW, FULL, BROKEN, UNSYNCED, UNOPENED, HANGING };

static atomic_int mode, delay, calls[2], inside;
static atomic_long room;

void shim_set(int next, long bytes, int milliseconds) {
    room = bytes;
    delay = milliseconds;
    calls[0] = calls[1] = 0;
    mode = next;
}

int shim_calls(int main) { return calls[main]; }

int shim_inside(void) { return inside; }

static void rest(int milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

static int below(const char *path) {
    const char *folder = getenv("FAULTY");
    return folder && !strncmp(path, folder, strlen(folder));
}

static int is_faulty(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0)
        return 0;
    path[size] = 0;
    return below(path);
}

/* What every call meets; the errno that it fails with, or 0. */
static int met(int failing, int error) {
    calls[syscall(SYS_gettid) == getpid()]++;
    inside++;
    if (mode == SLOW)
        rest(delay);
    while (mode == HANGING)
        rest(5);
    inside--;
    return mode == failing ? error : 0;
}

ssize_t write(int descriptor, const void *data, size_t size) {
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    if (!is_faulty(descriptor))
        return real(descriptor, data, size);
    if ((errno = met(BROKEN, EIO)))
        return -1;
    if (mode == FULL) {
        if (room <= 0) {
            errno = ENOSPC;
            return -1;
        }
        size = size < (size_t)room ? size : (size_t)room;
        room -= size;
    }
    return real(descriptor, data, size);
}

int fdatasync(int descriptor) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    if (is_faulty(descriptor) && (errno = met(UNSYNCED, EIO)))
        return -1;
    return real(descriptor);
}

static int opened(const char *name, const char *path, int flags, mode_t permissions) {
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, name);
    if ((flags & O_CREAT) && below(path) && (errno = met(UNOPENED, EIO)))
        return -1;
    return real(path, flags, permissions);
}

int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t permissions = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    return opened("open", path, flags, permissions);
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t permissions = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    return opened("open64", path, flags, permissions);
}
