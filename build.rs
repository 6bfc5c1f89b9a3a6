use std::{env, fs, path::Path};

/// What runs in containers.
const PROGRAMS: [&str; 9] = [
    "launch.py",
    "supervisor.py",
    "spare.py",
    "park.py",
    "tell.py",
    "display.py",
    "value.py",
    "converse.py",
    "files.py",
];

fn main() {
    napi_build::setup();
    // The runtime's threads outlive any one Node environment. Without this, Node unmaps the
    // library when the last worker that loaded it ends, and those threads run into nothing.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    for name in PROGRAMS {
        let path = Path::new("src/runner").join(name);
        println!("cargo:rerun-if-changed={}", path.display());
        let source = fs::read_to_string(&path).expect("it can be read");
        fs::write(Path::new(&out).join(name), bare(&source)).expect("it can be written");
    }
}

/// Python without comments and docstrings, which every container would be sent and have to read.
fn bare(source: &str) -> String {
    let mut bare = String::new();
    let mut in_docstring = false;
    for line in source.lines() {
        let text = line.trim_start();
        let begins = !in_docstring && text.starts_with("\"\"\"");
        if begins {
            // It may be all that its block has.
            bare.push_str(&line[..line.len() - text.len()]);
            bare.push_str("0\n");
        }
        if begins || in_docstring {
            let ends = text.ends_with("\"\"\"") && (in_docstring || text.len() >= 6);
            in_docstring = !ends;
        } else if !text.is_empty() && !text.starts_with('#') {
            bare.push_str(line);
            bare.push('\n');
        }
    }
    bare
}
