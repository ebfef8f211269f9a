#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <greet.h>

static PyObject *py_greet(PyObject *self, PyObject *args) {
    const char *name;
    char text[256];
    (void)self;
    if (!PyArg_ParseTuple(args, "s", &name)) return NULL;
    greet(text, sizeof text, name);
    return PyUnicode_FromString(text);
}

static PyObject *py_file(PyObject *self, PyObject *args) {
    (void)self;
    (void)args;
    return PyUnicode_FromString(greet_file());
}

static PyMethodDef methods[] = {
    {"greet", py_greet, METH_VARARGS, "A greeting for a name."},
    {"file", py_file, METH_NOARGS, "The file in which the salutation stands."},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_greet", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__greet(void) { return PyModule_Create(&module); }
