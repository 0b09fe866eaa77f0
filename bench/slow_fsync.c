/* Preloaded, it makes every fsync take what CMCP_FSYNC_MICROS says: a disk of known speed. */
#include <stdlib.h>
#include <unistd.h>

static int wait_for_disk(void) {
    const char *micros = getenv("CMCP_FSYNC_MICROS");
    usleep(micros ? (useconds_t)atoi(micros) : 0);
    return 0;
}

int fsync(int file) { (void)file; return wait_for_disk(); }
int fdatasync(int file) { (void)file; return wait_for_disk(); }
