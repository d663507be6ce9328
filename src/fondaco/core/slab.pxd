cdef int64_t ROWS_FIRST
# Rows begin at a cache line. Large tables are maps of their own: growing one moves its pages to a
# larger place, and neither copies nor clears what is there. Those that are read at random all the
# time lie on huge pages where the kernel has them; for the others the first touch of such a page
# costs more than it spares, where a hypervisor has to find it first (measured).
cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <stdint.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/mman.h>

    #define FONDACO_HUGE ((size_t)1 << 21)
    #define FONDACO_WHOLE(bytes) (((bytes) + FONDACO_HUGE - 1) & ~(FONDACO_HUGE - 1))

    static void fondaco_release(char *memory, size_t bytes) {
        if (bytes >= FONDACO_HUGE) (void)munmap(memory, FONDACO_WHOLE(bytes));
        else free(memory);
    }

    /* Reserve room in whole huge pages, by taking one more and giving the ends back. */
    static char *fondaco_reserve(size_t bytes, int huge) {
        char *taken = mmap(NULL, bytes + FONDACO_HUGE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        char *room;
        if (taken == (char *)MAP_FAILED) return NULL;
        room = (char *)FONDACO_WHOLE((uintptr_t)taken);
        if (room > taken) (void)munmap(taken, (size_t)(room - taken));
        (void)munmap(room + bytes, (size_t)(taken + FONDACO_HUGE - room));
        if (huge) (void)madvise(room, bytes, MADV_HUGEPAGE);
        return room;
    }

    /* Return room for `bytes` with the first `old_bytes` as they were, or NULL. */
    static char *fondaco_grow(char *old, size_t old_bytes, size_t bytes, int huge) {
        void *room = NULL;
        if (bytes >= FONDACO_HUGE) {
            room = fondaco_reserve(FONDACO_WHOLE(bytes), huge);
            if (room != NULL && old_bytes >= FONDACO_HUGE) {
                room = mremap(old, FONDACO_WHOLE(old_bytes), FONDACO_WHOLE(bytes),
                              MREMAP_MAYMOVE | MREMAP_FIXED, room);
                return room == MAP_FAILED ? NULL : (char *)room;
            }
        } else if (posix_memalign(&room, 64, bytes) != 0) {
            return NULL;
        }
        if (room == NULL) return NULL;
        if (old_bytes) memcpy(room, old, old_bytes);
        fondaco_release(old, old_bytes);
        return (char *)room;
    }
    """
    char* fondaco_grow(char* old, size_t old_bytes, size_t bytes, int huge) noexcept nogil
    void fondaco_release(char* memory, size_t bytes) noexcept nogil

@cython.final
cdef class Slab:
    cdef char* memory
    cdef int64_t kind
    cdef int64_t row_bytes
    cdef int huge
    cdef readonly int64_t capacity
    cdef readonly int64_t used
    cdef int64_t free_slot
    cdef readonly int64_t live
    cdef public object rows
    cdef int64_t grow(self, int64_t capacity) except -1 nogil
    cdef int64_t reserve(self, int64_t rows) except -1 nogil
    cdef int64_t refuse(self) except -1 nogil
    cdef int64_t take(self) except -1 nogil
    cdef int64_t take_raw(self) except -1 nogil
    cdef int64_t give(self, int64_t slot) except -1 nogil
    cdef int64_t clear(self) except -1 nogil
    cdef int64_t reset(self, int64_t rows) except -1 nogil
