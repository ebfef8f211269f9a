//! Calls the C library of the conda package `greet`.

mod greet {
    use std::os::raw::{c_char, c_int};

    #[link(name = "greet")]
    extern "C" {
        pub fn greet_number() -> c_int;
        pub fn greet_words(tone: c_int) -> *const c_char;
    }
}

/// The number; the library's own is checked, so that a panic with this file's path is part of the code.
#[no_mangle]
pub extern "C" fn number() -> i32 {
    let found = unsafe { greet::greet_number() };
    assert!(found > 0, "greet has no number");
    found
}

/// The words, as a C string that lives as long as the library.
#[no_mangle]
pub extern "C" fn words() -> *const std::os::raw::c_char {
    unsafe { greet::greet_words(1) }
}
