#include <greet.h>
#include <pybind11/pybind11.h>

#include <stdexcept>
#include <string>

// Thrown and caught inside the module, so that the C++ runtime has something to do.
static std::string words(int tone) {
    try {
        if (tone < 0) throw std::invalid_argument("no tone");
        return greet_words(tone);
    } catch (const std::invalid_argument &error) {
        return error.what();
    }
}

PYBIND11_MODULE(_greet, module) {
    module.def("number", &greet_number);
    module.def("words", &words, pybind11::arg("tone") = 1);
    module.def("header", &greet_header);
}
