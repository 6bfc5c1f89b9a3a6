//! Which variables an interpreter reads only when it starts. A script that is given one of them
//! can't have the interpreter that is running already.

/// Names and prefixes (those that end in `*`), each with what reads it at start.
const AT_START: &[&str] = &[
    // CPython: its flags, paths, allocator, encodings, hash seed.
    "PYTHON*",
    // The dynamic linker and the C library.
    "LD_*",
    "MALLOC_*",
    "GLIBC_TUNABLES",
    // The locale decides the encodings of the standard streams, of file names and of arguments.
    "LANG",
    "LC_*",
    // `sys.executable`, and the user's site packages.
    "PATH",
    "HOME",
    // Read when the module that uses them is imported, which a preload may have done already.
    "OMP_*",
    "OPENBLAS_*",
    "MKL_*",
    "NUMEXPR_*",
    "BLIS_*",
    "VECLIB_*",
    "OPENSSL_*",
];

/// Whether a variable of that name only counts at an interpreter's start.
pub fn counts_only_at_start(name: &str) -> bool {
    AT_START.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *pattern,
    })
}

#[cfg(test)]
mod tests {
    use super::counts_only_at_start;

    #[test]
    fn an_interpreters_own_variables_count_at_its_start() {
        for name in ["PYTHONHASHSEED", "LD_PRELOAD", "LC_ALL", "LANG", "HOME", "PATH"] {
            assert!(counts_only_at_start(name), "{name}");
        }
    }

    #[test]
    fn a_tools_variables_do_not() {
        for name in ["TOOL_ENV", "LANGUAGE", "TZ", "HOMEPAGE", "A_PYTHON", "PATHS"] {
            assert!(!counts_only_at_start(name), "{name}");
        }
    }
}
