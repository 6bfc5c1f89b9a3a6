//! The launcher's program: see `lib.rs`.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    scientist_pool_launcher::run_inside_if_asked();
    scientist_pool_launcher::run()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!(
        "scientist-pool-launcher: containers are made of Linux's own means; this is no Linux"
    );
    ExitCode::from(2)
}
