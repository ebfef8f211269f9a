#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <greet.h>

static PyObject *number(PyObject *self, PyObject *none) { return PyLong_FromLong(greet_number()); }
static PyObject *words(PyObject *self, PyObject *none) { return PyUnicode_FromString(greet_words(1)); }
static PyObject *header(PyObject *self, PyObject *none) { return PyUnicode_FromString(greet_header()); }

static PyMethodDef methods[] = {
    {"number", number, METH_NOARGS, NULL},
    {"words", words, METH_NOARGS, NULL},
    {"header", header, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_greet", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__greet(void) { return PyModule_Create(&module); }
