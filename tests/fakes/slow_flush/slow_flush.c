/* Makes every flush to disk slower by a stated time, in the process that preloads it: a virtual disk that acknowledges
   from a cache then stands in for one that does not. Nothing else changes, and the real flush is still made.

     STRONGROOM_SLOW_FLUSH_US    how much slower, microseconds
     STRONGROOM_SLOW_FLUSH_USED  file that exists; each process adds its id, a line, at its first flush: who measures
                                 can tell that the library was really in use */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

typedef int flush_function(int descriptor);

static atomic_int noted_by; /* a process id: a fork has to note its own */

static void note_use(void)
{
    int pid = (int)getpid();
    if (atomic_exchange(&noted_by, pid) == pid)
        return;
    const char *path = getenv("STRONGROOM_SLOW_FLUSH_USED");
    int file = path == NULL ? -1 : open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file < 0)
        return;
    char line[16];
    int length = snprintf(line, sizeof line, "%d\n", pid);
    if (write(file, line, (size_t)length) != length)
        abort();
    close(file);
}

static void wait_before_flush(void)
{
    const char *text = getenv("STRONGROOM_SLOW_FLUSH_US");
    long microseconds = text == NULL ? 0 : atol(text);
    struct timespec left = {microseconds / 1000000, microseconds % 1000000 * 1000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static int flush_slowly(const char *name, int descriptor)
{
    flush_function *real = (flush_function *)dlsym(RTLD_NEXT, name);
    if (real == NULL)
        abort();
    note_use();
    wait_before_flush();
    return real(descriptor);
}

EXPORTED int fsync(int descriptor)
{
    return flush_slowly("fsync", descriptor);
}

EXPORTED int fdatasync(int descriptor)
{
    return flush_slowly("fdatasync", descriptor);
}
