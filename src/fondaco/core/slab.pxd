cdef int64_t ROWS_FIRST
# Rows begin at a cache line; large tables lie on huge pages, where the kernel has them.
cdef extern from *:
    """
    #include <stdlib.h>
    #include <sys/mman.h>
    static char *fondaco_allocate(size_t bytes) {
        void *memory = NULL;
        size_t huge = (size_t)1 << 21;
        if (posix_memalign(&memory, bytes < huge ? 64 : huge, bytes) != 0) return NULL;
        if (bytes >= huge) (void)madvise(memory, bytes, MADV_HUGEPAGE);
        return (char *)memory;
    }
    """
    char* fondaco_allocate(size_t bytes) noexcept nogil

@cython.final
cdef class Slab:
    cdef char* memory
    cdef int64_t kind
    cdef int64_t row_bytes
    cdef readonly int64_t capacity
    cdef readonly int64_t used
    cdef int64_t free_slot
    cdef readonly int64_t live
    cdef public object rows
    cdef int64_t grow(self, int64_t capacity) except -1 nogil
    cdef int64_t refuse(self) except -1 nogil
    cdef int64_t take(self) except -1 nogil
    cdef int64_t take_raw(self) except -1 nogil
    cdef int64_t give(self, int64_t slot) except -1 nogil
    cdef int64_t clear(self) except -1 nogil
    cdef int64_t reset(self, int64_t rows) except -1 nogil
