/* What a table remembers of its tags between two polls, as Python objects and back. */
#ifndef TRAINLENS_STATE_H
#define TRAINLENS_STATE_H

#include "columns.h"

/* A list of (name, plugin), in the order in which the tags appeared. */
static PyObject *tag_list(const Table *t) {
    PyObject *list = PyList_New((Py_ssize_t)t->count);
    for (uint32_t i = 0; list && i < t->count; i++) {
        const Tag *tag = &t->tags[i];
        PyObject *item = Py_BuildValue("(y#i)", (const char *)tag->name, (Py_ssize_t)tag->size,
                                       (int)tag->plugin);
        if (!item) Py_CLEAR(list);
        else PyList_SetItem(list, (Py_ssize_t)i, item);
    }
    return list;
}

/* Adds what `tag_list` gave; -1 with an exception set where it is nothing of the kind. */
static int add_tags(Table *t, PyObject *list) {
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "the tags must be a list");
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyList_Size(list); i++) {
        PyObject *item = PyList_GetItem(list, i);
        const char *name;
        Py_ssize_t size;
        int plugin;
        if (!PyTuple_Check(item)) {
            PyErr_SetString(PyExc_TypeError, "a tag must be a tuple");
            return -1;
        }
        if (!PyArg_ParseTuple(item, "y#i", &name, &size, &plugin)) return -1;
        if (plugin < UNKNOWN || plugin > OTHER) {
            PyErr_SetString(PyExc_ValueError, "no such plugin");
            return -1;
        }
        uint32_t index = intern_tag(t, (const uint8_t *)name, (size_t)size);
        if (index == NO_TAG) {
            PyErr_NoMemory();
            return -1;
        }
        t->tags[index].plugin = (uint8_t)plugin;
    }
    return 0;
}

#endif
