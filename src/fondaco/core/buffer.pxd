cdef int64_t WORDS_FIRST
cdef int64_t COPIED_MAX

cdef extern from *:
    """
    #include <Python.h>
    #include <stddef.h>

    #define FONDACO_BYTES(words) ((PyObject *)((char *)(words) - offsetof(PyBytesObject, ob_sval)))

    /* Return room for `size` bytes inside a bytes object, with the old words; NULL: no memory. */
    static int64_t *fondaco_grow_words(int64_t *words, Py_ssize_t size) {
        PyObject *bytes = words == NULL ? NULL : FONDACO_BYTES(words);
        if (bytes == NULL) bytes = PyBytes_FromStringAndSize(NULL, size);
        else (void)_PyBytes_Resize(&bytes, size);
        if (bytes == NULL) PyErr_Clear();
        return bytes == NULL ? NULL : (int64_t *)PyBytes_AS_STRING(bytes);
    }

    /* Return the bytes object itself, cut to its size. */
    static PyObject *fondaco_take_words(int64_t *words, Py_ssize_t size) {
        PyObject *bytes = FONDACO_BYTES(words);
        (void)_PyBytes_Resize(&bytes, size);
        return bytes;
    }

    static void fondaco_free_words(int64_t *words) {
        if (words != NULL) Py_DECREF(FONDACO_BYTES(words));
    }
    """
    int64_t* fondaco_grow_words(int64_t* words, Py_ssize_t size)
    bytes fondaco_take_words(int64_t* words, Py_ssize_t size)
    void fondaco_free_words(int64_t* words)

@cython.final
cdef class Words:
    cdef int64_t* items
    cdef public int64_t used
    cdef int64_t capacity
    cdef int64_t likely
    cdef int64_t grow(self, int64_t capacity) except -1 nogil
    cdef int64_t make_room(self) except -1 nogil
    cdef int64_t refuse(self, int64_t capacity) except -1 nogil
    cdef int64_t extend(self, int64_t count) except -1 nogil
    cpdef int64_t add(self, int64_t word) except -1 nogil
    cpdef int64_t get(self, int64_t at) except? -1
    cdef int64_t insert(self, int64_t at, int64_t word) except -1 nogil
    cdef int64_t delete(self, int64_t at) except -1 nogil
    cpdef bytes to_bytes(self)
    cpdef bytes take_bytes(self)
    cpdef int64_t from_bytes(self, bytes data) except -1
